// The dialog for what people do about alerts: one, or many at once.
import { named, remember, remembered } from "citywarden-console";

const HOUR = 3_600_000;
export const SPANS = [["1h", HOUR], ["4h", 4 * HOUR], ["8h", 8 * HOUR], ["24h", 24 * HOUR], ["3d", 72 * HOUR],
  ["7d", 168 * HOUR]];

export const Deeds = {
  template: `
    <dialog ref="dialog" class="cw-dialog" @close="closed" @keydown.ctrl.enter="send">
      <form v-if="doing" @submit.prevent="send">
        <h3>{{ words[title] }}<small v-if="doing.count > 1">{{ words.selected.replace('{n}', doing.count) }}</small></h3>
        <p v-if="doing.alerts.length === 1" class="cw-summary">{{ place(doing.alerts[0]) }} · {{ lang === 'en'
          ? doing.alerts[0].en : doing.alerts[0].zh }}</p>
        <label v-if="!me">{{ words.who }}<input name="who" v-model.trim="by" maxlength="60" autocomplete="name" /></label>
        <label v-if="doing.what === 'assign'">{{ words.assign_to }}<input name="to" v-model.trim="to" maxlength="60"
          list="cw-people" autocomplete="off" /><small>{{ words.assign_hint }}</small>
          <datalist id="cw-people"><option v-for="name in people" :key="name" :value="name"></option></datalist></label>
        <template v-if="doing.what === 'silence'">
          <fieldset><legend>{{ words.how_long }}</legend><div class="cw-choices"><button v-for="[name, ms] in spans"
            :key="name" type="button" :aria-pressed="String(span === ms)" :class="{ on: span === ms }"
            @click="span = ms">{{ words[name] }}</button></div></fieldset>
          <label>{{ words.what_of }}<select name="scope" v-model="scope"><option v-for="s in ['alert', 'subject',
            'rule']" :key="s" :value="s">{{ words['scope_' + s] }}</option></select></label></template>
        <label>{{ words[doing.what === 'silence' ? 'why' : 'note'] }}<textarea name="note" v-model.trim="note"
          maxlength="2000" rows="3"></textarea></label>
        <p v-if="doing.what === 'silence' && doing.alerts.length === 1" class="cw-more-ways"><a :href="more(doing.alerts[0])"
          >{{ words.more_options }}</a></p>
        <p v-if="error" class="cw-error" role="alert">{{ words[error] ?? error }}</p>
        <p v-if="busy && progress" class="cw-progress"><i :style="{ width: 100 * progress[0] / progress[1] + '%' }"></i>
          <span>{{ words.working_on.replace('{n}', progress[0]).replace('{all}', progress[1]) }}</span></p>
        <footer><button type="button" class="quiet" @click="close">{{ words.cancel }}</button>
          <button type="submit" :disabled="busy">{{ words.send }}</button></footer>
      </form>
    </dialog>`,
  props: { words: Object, lang: String, me: String, people: Array },
  emits: ["act"],
  data: () => ({ doing: null, by: "", to: "", note: "", error: "", busy: false, progress: null, span: 4 * HOUR,
    scope: "alert", spans: SPANS }),
  computed: {
    title() {
      return this.doing.what === "note" ? "add_note" : this.doing.what;
    },
  },
  mounted() {
    this.by = this.me || remembered("who");
  },
  methods: {
    place(alert) {
      return alert.place.split(" · ").map((half) => named(half, this.lang)).join(" · ");
    },
    // `ids`: which; `alerts`: those of them that are known; `count`: how many they are.
    begin(what, ids, alerts, count = ids.length) {
      this.doing = { what, ids, alerts, count };
      this.note = this.error = "";
      this.to = what === "assign" && alerts.length === 1 ? (alerts[0].assigned ?? "") : "";
      this.busy = false;
      this.$nextTick(() => {
        this.$refs.dialog.showModal();
        const first = this.by ? (what === "assign" ? 'input[name="to"]' : "textarea") : "input";
        this.$refs.dialog.querySelector(first).focus();
      });
    },
    // The page of the silences, filled in with what this alert is.
    more(alert) {
      const parts = Object.fromEntries(["rule", "kind", "subject", "district", "tenant"].filter((p) => alert[p])
        .map((p) => [p, alert[p]]));
      return `${window.path_prefix ?? ""}/silences?${new URLSearchParams({ ...parts, lang: this.lang })}`;
    },
    close() {
      this.$refs.dialog.close();
    },
    closed() {
      // The event comes late: another deed may have been begun meanwhile.
      if (!this.$refs.dialog.open) this.doing = null;
    },
    send() {
      const { what, ids } = this.doing;
      this.error = !this.by ? "who_missing" : what === "note" && !this.note ? "note_missing"
        : what === "silence" && !this.note ? "why_missing" : "";
      if (this.error) return;
      if (!this.me) remember("who", this.by);
      this.busy = true;
      this.progress = null;
      this.$emit("act", { what, ids, by: this.by, note: this.note || null, to: this.to || null, span_ms: this.span,
        scope: this.scope });
    },
    working(done, all) {
      this.progress = [done, all];
    },
    answered({ ok, failed, why }) {
      this.busy = false;
      if (ok) this.close();
      else this.error = why || (this.doing?.count > 1 ? this.words.some_failed.replace("{n}", failed) : "failed");
    },
  },
};
