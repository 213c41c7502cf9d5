// What a device can be told: a row for each command, what they all share above them, and what became of the latest.
import { remember, remembered, wording } from "citywarden-console";

const SPANS = [15, 30, 60, 240, 720];
const TRIES = [5, 10, 60, 480, 1440];
const TONES = { queued: "wait", sent: "wait", acknowledged: "hand", done: "good", failed: "bad", expired: "bad" };

export default {
  mixins: [wording],
  template: `
    <section class="cw-commands" id="commands">
      <div class="cw-panel cw-orders cw-form"><p class="cw-h">{{ words.commands }}</p>
        <p v-if="!may" class="cw-none">{{ words.cmd_look_only }}</p>
        <template v-else>
        <fieldset v-for="q in spans" :key="q.field" :data-argument="q.field"><legend>{{ label(q) }}</legend>
          <div class="cw-choices"><button type="button" :class="{ on: shared[q.field] === null }"
            :aria-pressed="String(shared[q.field] === null)" @click="shared[q.field] = null">{{
            words['cmd_unset_' + q.field] ?? words.cmd_unset }}</button><button v-for="m in presets(q)" :key="m"
            type="button" :class="{ on: shared[q.field] === m }" :aria-pressed="String(shared[q.field] === m)"
            @click="shared[q.field] = m">{{ span(m) }}</button><label class="cw-free" :class="{ on: free(q) }">{{
            words.cmd_other }}<input type="number" :name="q.field" :min="q.low" :max="q.high" step="1"
            :value="free(q) ? shared[q.field] : null" :placeholder="range(q)" :aria-label="label(q)"
            @input="type(q, $event.target.value)" />{{ q.unit }}</label></div></fieldset>
        <form v-for="o in orders" :key="o.name" class="cw-order" :data-command="o.name" @submit.prevent="give(o)">
          <b>{{ label(o) }}</b>
          <div><label v-for="q in own(o)" :key="q.field"><span>{{ label(q) }} <small>{{ range(q) }} {{ q.unit }}<template
            v-if="!q.required"> · {{ words.cmd_optional }}</template></small></span>
            <span v-if="q.form === 'flag'" class="cw-pair"><select :name="q.field" v-model="values[o.name][q.field]"><option
              v-if="!q.required" :value="null">–</option><option :value="true">{{ words.cmd_true }}</option><option
              :value="false">{{ words.cmd_false }}</option></select></span>
            <span v-else-if="q.form === 'text'" class="cw-pair"><input :name="q.field" maxlength="256"
              v-model.trim="values[o.name][q.field]" :required="q.required" /></span>
            <span v-else class="cw-pair"><input v-if="slides(q)" type="range" :min="q.low" :max="q.high" step="1"
              :aria-label="label(q)" v-model.number="values[o.name][q.field]" /><input type="number" :name="q.field"
              :min="q.low" :max="q.high" step="any" :required="q.required" v-model.number="values[o.name][q.field]"
              /><small>{{ q.unit }}</small></span></label></div>
          <button type="submit" class="cw-act" :disabled="busy">{{ words.cmd_give }}</button>
        </form>
        <div class="cw-line"><label class="cw-expires">{{ words.cmd_expires }}<select name="expires"
          v-model.number="expires"><option v-for="m in tries" :key="m" :value="m">{{ span(m) }}</option></select></label>
          <label v-if="!me" class="cw-expires">{{ words.who }}<input name="who" v-model.trim="by" maxlength="60"
          autocomplete="name" /></label></div>
        <p v-if="error" class="cw-error" role="alert">{{ words[error] ?? error }}</p>
        </template>
      </div>
      <div class="cw-panel cw-given"><p class="cw-h">{{ words.cmd_latest }}</p>
        <p v-if="!latest.length" class="cw-none">{{ words.cmd_nothing }}</p>
        <ol v-else><li v-for="c in latest" :key="c.id" :data-id="c.id" :data-state="c.state">
          <span class="cw-state" :class="tone(c)">{{ words['cmd_' + c.state] }}</span>
          <div><b>{{ told(c) }}</b>
            <p><span :title="stamp(c.created_ms)">{{ since(c.created_ms) }}</span><span>{{
              words.cmd_of.replace('{who}', c.by) }}</span><span v-if="c.outstanding && c.attempts">{{ sends(c) }}</span>
              <span v-if="c.outstanding">{{ words.cmd_until.replace('{when}', hour(c.expires_ms)) }}</span>
              <span v-if="why(c)" :class="tone(c)">{{ why(c) }}</span><span v-if="!c.outstanding"
              :title="stamp(c.updated_ms)">{{ stamp(c.updated_ms) }}</span></p></div>
          <button v-if="may && c.can_cancel" class="cw-act" :disabled="busy" @click="cancel(c)">{{ words.cmd_cancel
            }}</button></li></ol></div>
    </section>`,
  props: { words: Object, lang: String, timezone: String, orders: Array, latest: Array, me: String, may: Boolean },
  data() {
    const values = Object.fromEntries(this.orders.map((o) => [o.name, Object.fromEntries(o.args.map((q) => [q.field,
      this.first(q)]))]));
    return { values, shared: Object.fromEntries(this.together().map((q) => [q.field, null])), expires: 10, tries: TRIES,
      by: "", error: "", busy: false };
  },
  computed: {
    spans() {
      return this.together();
    },
  },
  mounted() {
    this.by = this.me || remembered("who");
    if (location.hash === "#commands") this.$el.scrollIntoView();
  },
  methods: {
    // How long it holds is asked once for all commands that can hold for a while.
    together() {
      const every = this.orders.flatMap((o) => o.args).filter((q) => q.unit === "min" && !q.required);
      return every.filter((q, i) => every.findIndex((p) => p.field === q.field) === i);
    },
    own(o) {
      return o.args.filter((q) => !(q.field in this.shared));
    },
    first(q) {
      if (!q.required) return null;
      return q.form === "flag" ? true : this.slides(q) ? Math.round((q.low + q.high) / 2) : null;
    },
    slides(q) {
      return q.form === "number" && q.required && q.unit === "%" && q.low !== null && q.high !== null;
    },
    presets(q) {
      return SPANS.filter((m) => m >= (q.low ?? 0) && m <= (q.high ?? Infinity));
    },
    free(q) {
      return this.shared[q.field] !== null && !SPANS.includes(this.shared[q.field]);
    },
    type(q, text) {
      this.shared[q.field] = text === "" ? null : Number(text);
    },
    range(q) {
      if (q.form !== "number") return "";
      return q.low !== null && q.high !== null ? `${q.low}–${q.high}` : q.low !== null ? `≥ ${q.low}` : "";
    },
    label(row) {
      return this.lang === "en" ? row.en : row.zh;
    },
    span(m) {
      return m % 60 ? this.words.cmd_min.replace("{n}", m) : this.words.cmd_h.replace("{n}", m / 60);
    },
    tone(c) {
      return TONES[c.state] ?? "";
    },
    // "Dim, brightness 40 %, for how long 30 min"
    told(c) {
      const order = this.orders.find((o) => o.name === c.name);
      const parts = c.args.map(([field, value]) => {
        const q = order?.args.find((one) => one.field === field);
        const said = typeof value === "boolean" ? this.words[`cmd_${value}`] : value;
        return q ? `${q.unit === "min" ? this.span(value) : `${this.label(q)} ${said}${q.unit ? ` ${q.unit}` : ""}`}`
          : `${field} ${said}`;
      });
      return [order ? this.label(order) : c.name, ...parts].join(" · ");
    },
    since(ms) {
      const age = this.age(ms);
      return this.lang === "en" && age !== this.words.just_now ? this.words.cmd_ago.replace("{t}", age) : age;
    },
    hour(ms) {
      return new Date(ms).toLocaleString(this.lang === "en" ? "en-GB" : "zh-CN", { timeZone: this.timezone,
        hour12: false, ...(ms - this.at > 43200000 ? { month: "numeric", day: "numeric" } : {}), hour: "2-digit",
        minute: "2-digit" });
    },
    sends(c) {
      return c.attempts === 1 ? this.words.cmd_sent_once : this.words.cmd_sent_times.replace("{n}", c.attempts);
    },
    why(c) {
      const word = (this.words[c.why] ?? "").replace("{who}", c.said);
      const tried = c.why === "cmd_why_unheard" ? this.sends(c) : "";
      return [word, tried, c.why === "cmd_why_by" ? "" : c.said].filter(Boolean).join(this.lang === "en" ? ", " : "，");
    },
    who() {
      this.error = this.by ? "" : "who_missing";
      if (this.by && !this.me) remember("who", this.by);
      return this.by;
    },
    give(o) {
      const typed = [...this.$el.querySelectorAll(".cw-free input")];
      if (!this.who() || !typed.every((input) => input.reportValidity())) return;
      const all = { ...this.values[o.name], ...Object.fromEntries(o.args.filter((q) => q.field in this.shared)
        .map((q) => [q.field, this.shared[q.field]])) };
      const args = Object.fromEntries(Object.entries(all).filter(([, v]) => v !== null && v !== ""));
      this.busy = true;
      this.$emit("give", { name: o.name, args, expires_min: this.expires, by: this.by });
    },
    cancel(c) {
      if (!this.who()) return;
      this.busy = true;
      this.$emit("cancel", { id: c.id, by: this.by });
    },
    answered({ ok, why }) {
      this.busy = false;
      this.error = ok ? "" : why;
    },
  },
};
