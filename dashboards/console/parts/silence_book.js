// The silences: what holds now, what is coming, what is over; a new one with what it would cover.
import { SEVERITIES, SPANS, remember, remembered, wording } from "citywarden-console";

const PARTS = ["rule", "kind", "subject", "district", "tenant"];
const BLANK = { rule: "", kind: "", subject: "", district: "", tenant: "", severity: "info", up_to: "critical" };

export default {
  mixins: [wording],
  template: `
    <section class="cw-book cw-silences">
      <div class="cw-title"><h1>{{ words.silences }}</h1><label class="cw-check"><input type="checkbox" v-model="ended"
        @change="$emit('ended', ended)" />{{ words.show_ended }}</label>
        <button v-if="may && !open" class="cw-act" @click="begin">{{ words.new_silence }}</button></div>
      <form v-if="open" class="cw-panel cw-form cw-new" @submit.prevent="send" @keydown.escape="open = false">
        <h2>{{ words.new_silence }}<small>{{ words.patterns_hint }}</small></h2>
        <div class="cw-fields">
          <label v-for="part in parts" :key="part">{{ words[part] }}<input :name="part" v-model.trim="form[part]"
            :list="'cw-' + part" :placeholder="words.all" autocomplete="off" @input="look" />
            <datalist :id="'cw-' + part"><option v-for="v in known[part] ?? []" :key="v" :value="v">{{ label(part, v)
            }}</option></datalist></label>
          <label>{{ words.at_least }}<select name="severity" v-model="form.severity" @change="look"><option
            v-for="s in severities" :key="s" :value="s">{{ words[s] }}</option></select></label>
          <label>{{ words.at_most }}<select name="up_to" v-model="form.up_to" @change="look"><option
            v-for="s in severities" :key="s" :value="s">{{ words[s] }}</option></select></label>
        </div>
        <fieldset class="cw-when"><legend>{{ words.how_long }}</legend><div class="cw-choices"><button
          v-for="[name, ms] in spans" :key="name" type="button" :class="{ on: span === ms }"
          :aria-pressed="String(span === ms)" @click="span = ms">{{ words[name] }}</button><button type="button"
          :class="{ on: !span }" :aria-pressed="String(!span)" @click="custom">{{ words.custom }}</button></div>
          <div v-if="!span" class="cw-fields"><label>{{ words.from }}<input type="datetime-local" name="from"
          v-model="from" /></label><label>{{ words.until }}<input type="datetime-local" name="until" v-model="until"
          /></label></div></fieldset>
        <div class="cw-fields"><label v-if="!me">{{ words.who }}<input name="who" v-model.trim="by" maxlength="60"
          autocomplete="name" /></label>
          <label class="cw-broad">{{ words.why }}<input name="why" v-model.trim="why" maxlength="500" /></label></div>
        <div class="cw-fit"><p :class="{ red: blank }">{{ blank ? words.would_all : '' }} {{ fit.total
          ? words.would_silence.replace('{n}', fit.total) : words.would_none }}</p>
          <ul><li v-for="a in fit.views" :key="a.id" :class="a.severity"><i></i><a :href="alertPath(a)">{{
          name(a.place) }}</a><span>{{ said(a) }}</span></li></ul></div>
        <p v-if="error" class="cw-error" role="alert">{{ words[error] ?? error }}</p>
        <footer><button type="button" class="cw-act quiet" @click="open = false">{{ words.cancel }}</button><button
          type="submit" class="cw-act first" :disabled="busy">{{ words.create }}</button></footer>
      </form>
      <template v-for="[key, list] in groups" :key="key"><p v-if="list.length" class="cw-h">{{ words[key] }} <b>{{
        list.length }}</b></p>
        <article v-for="s in list" :key="s.id" class="cw-panel cw-silence" :class="key" :data-id="s.id">
          <div><p class="cw-fits"><span v-if="!s.fits.length" class="red">{{ words.anything }}</span><span
            v-for="[part, value] in s.fits" :key="part"><small>{{ words[part] ?? part }}</small>{{ value }}</span></p>
            <p class="cw-why-said">{{ s.why }}</p>
            <p class="cw-foot"><span>{{ s.by }}</span><span>{{ stamp(s.starts_ms) }} – {{ stamp(s.ends_ms) }}</span>
            <span v-if="s.ended_by">{{ words.ended_by.replace('{who}', s.ended_by) }}</span></p></div>
          <p class="cw-left" v-if="key === 'silences_active'">{{ words.left.replace('{n}', lasting(s.ends_ms - at))
            }}<i><u :style="{ width: 100 * (at - s.starts_ms) / (s.ends_ms - s.starts_ms) + '%' }"></u></i></p>
          <p class="cw-left" v-else-if="key === 'silences_coming'">{{ words.begins_in.replace('{n}',
            lasting(s.starts_ms - at)) }}</p>
          <button v-if="may && key !== 'silences_ended'" class="cw-act" @click="$emit('end', { id: s.id, by })">{{
            words.end_silence }}</button>
        </article></template>
      <p v-if="!silences.length" class="cw-empty">{{ words.no_silences }}</p>
    </section>`,
  props: { words: Object, lang: String, timezone: String, silences: Array, known: Object, names: Object, kinds: Object,
    me: String, may: Boolean, offset: Number, titles: Object },
  data: () => ({ open: false, form: { ...BLANK }, span: SPANS[1][1], spans: SPANS, parts: PARTS, from: "", until: "",
    severities: [...SEVERITIES].reverse(), by: "", why: "", error: "", busy: false, ended: false,
    fit: { total: 0, views: [] } }),
  computed: {
    groups() {
      const by = { silences_active: [], silences_coming: [], silences_ended: [] };
      for (const s of this.silences) {
        const key = s.ends_ms <= this.at ? "silences_ended" : s.starts_ms > this.at ? "silences_coming" : "silences_active";
        by[key].push({ ...s, fits: this.fits(s) });
      }
      return Object.entries(by);
    },
    blank() {
      return PARTS.every((part) => !this.form[part]) && this.form.severity === "info" && this.form.up_to === "critical";
    },
  },
  mounted() {
    this.by = this.me || remembered("who");
    const asked = new URLSearchParams(location.search);
    const given = Object.keys(BLANK).filter((part) => asked.get(part));
    if (!this.may || !(given.length || asked.has("new"))) return;
    for (const part of given) this.form[part] = asked.get(part);
    this.begin();
  },
  unmounted() {
    clearTimeout(this.looking);
  },
  methods: {
    fits(s) {
      const fits = PARTS.filter((part) => s[part].length).map((part) => [part,
        s[part].map((v) => this.label(part, v)).join(" · ")]);
      if (s.severity !== "info") fits.push(["at_least", this.words[s.severity]]);
      if (s.up_to !== "critical") fits.push(["at_most", this.words[s.up_to]]);
      return fits;
    },
    label(part, value) {
      const at = this.lang === "en" ? 1 : 0;
      return part === "district" ? this.district(value) : part === "kind" ? (this.kinds[value]?.[at] ?? value)
        : part === "rule" ? this.ruled(value) : value;
    },
    begin() {
      this.open = true;
      this.error = "";
      this.look();
      this.$nextTick(() => this.$el.querySelector("form input").focus());
    },
    custom() {
      if (!this.from) [this.from, this.until] = [this.at, this.at + this.span].map((ms) => this.local(ms));
      this.span = 0;
    },
    // The city's clock, as the browser's fields write it, and back.
    local(ms) {
      return new Date(ms + this.offset).toISOString().slice(0, 16);
    },
    moment(text) {
      return text ? Date.parse(`${text}:00Z`) - this.offset : null;
    },
    wanted() {
      const lists = Object.fromEntries(PARTS.map((part) => [part, this.form[part].split(/[,，]/).map((v) => v.trim())
        .filter(Boolean)]));
      return { ...lists, severity: this.form.severity, up_to: this.form.up_to };
    },
    look() {
      clearTimeout(this.looking);
      this.looking = setTimeout(() => this.$emit("preview", this.wanted()), 200);
    },
    fitting(total, views) {
      this.fit = { total, views };
    },
    send() {
      this.error = !this.by ? "who_missing" : !this.why ? "why_missing" : "";
      if (this.error) return;
      if (!this.me) remember("who", this.by);
      this.busy = true;
      const window = this.span ? { span_ms: this.span } : { from_ms: this.moment(this.from), until_ms: this.moment(this.until) };
      this.$emit("begin", { ...this.wanted(), ...window, by: this.by, why: this.why });
    },
    answered({ ok, why }) {
      this.busy = false;
      this.error = ok ? "" : why;
      if (!ok) return;
      this.open = false;
      this.form = { ...BLANK };
      this.why = "";
    },
  },
};
