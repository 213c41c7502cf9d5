// Open alerts on the wall, or the whole inbox with filters and many at once.
import { ago, listen, named, now, remember, remembered, store } from "citywarden-console";

const SEVERITIES = ["critical", "major", "minor", "info"];

// The server's order: gravest first, the acknowledged after the others of their severity.
function urgency(a) {
  return 3 * SEVERITIES.indexOf(a.severity) + ["firing", "acknowledged", "resolved"].indexOf(a.status);
}

export default {
  template: `
    <section class="cw-alerts" :class="{ inbox }">
      <header>
        <h2>{{ inbox ? words.inbox : words.open_alerts }}<b>{{ counted.total }}</b></h2>
        <div class="cw-counts">
          <component :is="inbox ? 'button' : 'div'" v-for="s in severities" :key="s" @click="only(s)"
            :class="[s, { on: severity === s, none: !counted.counts[s] }]"><i></i>{{ counted.counts[s] ?? 0
            }}<span v-if="inbox">{{ words[s] }}</span></component>
        </div>
        <button class="cw-sound" :class="{ on: loud }" :title="words[loud ? 'sound_on' : 'sound_off']"
          :aria-label="words[loud ? 'sound_on' : 'sound_off']" :aria-pressed="String(loud)" @click="switchSound"
          ><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9.5v5h3.5L12 19V5L7.5 9.5z" /><path
          :d="loud ? 'M15 9a4 4 0 0 1 0 6M17.5 6.5a8 8 0 0 1 0 11' : 'M15.5 9.5l5 5M20.5 9.5l-5 5'" /></svg></button>
        <div v-if="inbox" class="cw-filters">
          <input type="search" v-model="search" :placeholder="words.search" :aria-label="words.search" />
          <select v-model="status" @change="ask()" :aria-label="words.status">
            <option value="open">{{ words.open_alerts }}</option>
            <option v-for="s in ['firing', 'acknowledged', 'resolved']" :key="s" :value="s">{{ words[s] }}</option>
            <option value="">{{ words.any_status }}</option></select>
        </div>
        <div v-if="inbox && chosen.length" class="cw-bulk"><span>{{ words.selected.replace('{n}', chosen.length) }}</span>
          <button @click="begin('acknowledge', chosen)">{{ words.acknowledge }}</button>
          <button @click="begin('resolve', chosen)">{{ words.resolve }}</button>
          <button class="quiet" @click="chosen = []">{{ words.cancel }}</button></div>
      </header>
      <div class="cw-scroll">
        <TransitionGroup name="cw-card" tag="div" class="cw-cards">
          <article v-for="a in shown" :key="a.id" :data-id="a.id" :class="[a.severity, a.status, { at: a.id === here }]"
            @click="focus(a)">
            <p class="cw-grade"><b>{{ words[a.severity] }}</b><time :title="stamp(a.raised_ms)">{{ age(a) }}</time></p>
            <input v-if="inbox && a.status !== 'resolved'" type="checkbox" :value="a.id" v-model="chosen"
              :aria-label="words.select" @click.stop />
            <div class="cw-what">
              <p class="cw-place"><b :title="name(a.place)">{{ name(a.place) }}</b></p>
              <p class="cw-summary">{{ lang === 'en' ? a.en : a.zh }}</p>
              <p class="cw-foot"><span v-if="a.district">{{ district(a) }}</span><span v-if="a.stale">{{ words.stale_alert }}</span>
                <span v-if="a.by || a.note" class="cw-by" :title="a.note ?? ''">✓ {{ a.by }}<template v-if="a.note"
                > · {{ a.note }}</template></span>
                <span v-if="a.status === 'resolved'" class="cw-resolved">{{ words.resolved }}</span></p>
            </div>
            <div class="cw-do"><a v-if="inbox" :href="href(a)" @click.stop>{{ words.history }}</a>
              <button v-if="a.status === 'firing'" @click.stop="begin('acknowledge', [a.id])">{{ words.acknowledge
              }}</button>
              <button v-else-if="inbox && a.status === 'acknowledged'" class="quiet"
                @click.stop="begin('resolve', [a.id])">{{ words.resolve }}</button></div>
          </article>
        </TransitionGroup>
        <p v-if="inbox" class="cw-keys">{{ words.keys }}</p>
        <p v-if="loaded && !shown.length" class="cw-calm"><i></i>{{ inbox ? words.nothing_found : words.none_open }}</p>
        <button v-if="inbox && next" class="quiet cw-next" @click="ask(true)">{{ words.load_more }}</button>
      </div>
      <a v-if="!inbox && counted.more > 0" class="cw-more" :href="inboxHref">{{ words.more.replace('{n}', counted.more)
        }}</a>
      <dialog ref="dialog" class="cw-dialog" @close="doing = null">
        <form v-if="doing" @submit.prevent="send">
          <h3>{{ words[doing.what] }}<small v-if="doing.ids.length > 1">{{ words.selected.replace('{n}',
            doing.ids.length) }}</small></h3>
          <p v-if="subject" class="cw-summary">{{ name(subject.place) }} · {{ lang === 'en' ? subject.en : subject.zh }}</p>
          <label>{{ words.who }}<input name="who" v-model.trim="by" maxlength="60" autocomplete="name" /></label>
          <label>{{ words.note }}<textarea name="note" v-model.trim="note" maxlength="500" rows="3"></textarea></label>
          <p v-if="error" class="cw-error" role="alert">{{ words[error] }}</p>
          <footer><button type="button" class="quiet" @click="close">{{ words.cancel }}</button>
            <button type="submit" :disabled="busy">{{ words.send }}</button></footer>
        </form>
      </dialog>
    </section>`,
  props: { words: Object, lang: String, inbox: Boolean, names: Object, timezone: String },
  data: () => ({
    severities: SEVERITIES, counted: store.alerts, own: [], at: now(), loaded: store.ready, next: null, chosen: [],
    severity: "", status: "open", search: "", doing: null, by: "", note: "", error: "", busy: false, here: "",
    loud: false,
  }),
  computed: {
    shown() {
      const all = this.inbox ? this.own : this.counted.list;
      if (!this.inbox) return all;
      const wanted = this.search.trim().toLowerCase();
      return all.filter((a) => this.fits(a) && (!wanted
        || [a.place, a.subject, a.zh, a.en, a.rule, a.district, a.note, a.by].join(" ").toLowerCase().includes(wanted)));
    },
    subject() {
      return this.doing?.ids.length === 1 ? this.shown.find((a) => a.id === this.doing.ids[0]) : null;
    },
    inboxHref() {
      return `${window.path_prefix ?? ""}/alerts?lang=${this.lang}`;
    },
  },
  mounted() {
    this.stop = listen((changed) => {
      if (!changed.full && !changed.alerts) return;
      this.counted = store.alerts;
      this.listenForCritical(changed.full);
      if (this.inbox) this.merge(store.alerts.list);
      else this.loaded = true;
    });
    this.timer = setInterval(() => (this.at = now()), 1000);
    this.by = remembered("who");
    this.loud = remembered("sound") === "on";
    if (!this.inbox) return;
    this.keys = (e) => this.key(e);
    window.addEventListener("keydown", this.keys);
    this.$nextTick(() => this.ask());
  },
  unmounted() {
    this.stop();
    clearInterval(this.timer);
    window.removeEventListener("keydown", this.keys);
    this.sound?.close();
  },
  methods: {
    // ---- sound
    switchSound() {
      this.loud = !this.loud;
      remember("sound", this.loud ? "on" : "off");
      if (this.loud) this.ring();
    },
    listenForCritical(first) {
      const now = this.counted.list.filter((a) => a.severity === "critical" && a.status === "firing").map((a) => a.id);
      const fresh = !first && this.known && now.some((id) => !this.known.has(id));
      this.known = new Set(now);
      if (fresh && this.loud) this.ring();
    },
    ring() {
      this.sound ??= new AudioContext();
      this.sound.resume();
      [880, 660, 880].forEach((pitch, i) => {
        const [tone, volume, at] = [this.sound.createOscillator(), this.sound.createGain(), this.sound.currentTime + i * 0.22];
        tone.frequency.value = pitch;
        volume.gain.setValueAtTime(0.0001, at);
        volume.gain.exponentialRampToValueAtTime(0.3, at + 0.02);
        volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.2);
        tone.connect(volume).connect(this.sound.destination);
        tone.start(at);
        tone.stop(at + 0.21);
      });
    },
    // ---- keys
    key(e) {
      if (e.ctrlKey || e.metaKey || e.altKey || this.doing || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) {
        if (e.key === "Escape" && e.target.type === "search") e.target.blur();
        return;
      }
      const at = this.shown.findIndex((a) => a.id === this.here);
      const alert = this.shown[at];
      const does = {
        j: () => this.goTo(at + 1), ArrowDown: () => this.goTo(at + 1),
        k: () => this.goTo(Math.max(0, at - 1)), ArrowUp: () => this.goTo(Math.max(0, at - 1)),
        x: () => alert && alert.status !== "resolved" && this.choose(alert.id),
        a: () => this.beginWith("acknowledge", alert), r: () => this.beginWith("resolve", alert),
        o: () => alert && this.focus(alert), Escape: () => (this.chosen = []),
        "/": () => this.$el.querySelector('input[type="search"]').focus(),
      }[e.key];
      if (!does) return;
      e.preventDefault();
      does();
    },
    goTo(place) {
      const alert = this.shown[Math.min(place, this.shown.length - 1)];
      if (!alert) return;
      this.here = alert.id;
      this.$nextTick(() => this.$el.querySelector("article.at")?.scrollIntoView({ block: "nearest" }));
    },
    choose(id) {
      this.chosen = this.chosen.includes(id) ? this.chosen.filter((known) => known !== id) : [...this.chosen, id];
    },
    // Of those chosen, else of the one where the keys stand: all that can still be acknowledged or resolved.
    beginWith(what, alert) {
      const wanted = this.chosen.length ? this.own.filter((a) => this.chosen.includes(a.id)) : alert ? [alert] : [];
      const ids = wanted.filter((a) => (what === "resolve" ? a.status !== "resolved" : a.status === "firing"));
      if (ids.length) this.begin(what, ids.map((a) => a.id));
    },
    // ---- words
    name(place) {
      return place.split(" · ").map((half) => named(half, this.lang)).join(" · ");
    },
    age(a) {
      return ago(a.raised_ms, this.words, this.at);
    },
    stamp(ms) {
      return new Date(ms).toLocaleString(this.lang, { timeZone: this.timezone });
    },
    district(a) {
      return this.names?.[a.district]?.[this.lang === "en" ? 1 : 0] ?? a.district;
    },
    href(a) {
      return `${window.path_prefix ?? ""}${a.link}&lang=${this.lang}`;
    },
    focus(a) {
      if (this.inbox) location.href = this.href(a);
      else window.dispatchEvent(new CustomEvent("cw:focus", { detail: a.id }));
    },
    fits(a) {
      return (!this.severity || a.severity === this.severity)
        && (!this.status || a.status === this.status || (this.status === "open" && a.status !== "resolved"));
    },
    only(severity) {
      if (!this.inbox) return;
      this.severity = this.severity === severity ? "" : severity;
      this.ask();
    },
    ask(more = false) {
      this.$emit("query", { status: this.status, severity: this.severity, cursor: more ? this.next : null });
    },
    page({ items, next, more }) {
      const known = new Set(more ? this.own.map((a) => a.id) : []);
      this.own = more ? [...this.own, ...items.filter((a) => !known.has(a.id))] : items;
      this.next = next;
      this.loaded = true;
    },
    merge(list) {
      const fresh = new Map(list.map((a) => [a.id, a]));
      this.own = this.own.map((a) => fresh.get(a.id) ?? a);
      const known = new Set(this.own.map((a) => a.id));
      const added = list.filter((a) => !known.has(a.id) && this.fits(a));
      if (added.length) this.own = [...added, ...this.own];
      if (this.status === "open") this.own.sort((a, b) => urgency(a) - urgency(b) || b.raised_ms - a.raised_ms);
    },
    begin(what, ids) {
      this.doing = { what, ids: [...ids] };
      this.note = this.error = "";
      this.$nextTick(() => {
        this.$refs.dialog.showModal();
        this.$refs.dialog.querySelector(this.by ? "textarea" : "input").focus();
      });
    },
    close() {
      this.$refs.dialog.close();
    },
    send() {
      if (!this.by) {
        this.error = "who_missing";
        return;
      }
      remember("who", this.by);
      this.busy = true;
      this.$emit("act", { what: this.doing.what, ids: this.doing.ids, by: this.by, note: this.note || null });
    },
    answered({ ok, changed }) {
      this.busy = false;
      this.error = ok ? "" : "failed";
      const fresh = new Map(changed.map((a) => [a.id, a]));
      this.own = this.own.map((a) => fresh.get(a.id) ?? a);
      this.chosen = this.chosen.filter((id) => !fresh.has(id));
      if (ok) this.close();
    },
  },
};
