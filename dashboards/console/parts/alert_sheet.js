// Everything said of one alert: what and where, what is to be done, its life, who was told, what is like it.
import { Deeds, happening, wording } from "citywarden-console";

const DEEDS = [["acknowledge", "a"], ["assign", "i"], ["note", "n"], ["resolve", "r"], ["close", "c"], ["silence", "s"]];
const MARKS = { opened: "raise", fired: "raise", escalated: "raise", overdue: "raise", reminded: "raise",
  cleared: "calm", resolved: "calm", closed: "calm", acknowledged: "hand", assigned: "hand", noted: "hand" };

export default {
  mixins: [wording],
  components: { Deeds },
  template: `
    <section class="cw-sheet-parts">
      <header class="cw-panel cw-what-now" :class="[alert.severity, alert.status]">
        <p class="cw-grade"><b>{{ words[alert.severity] }}</b><span>{{ words[alert.status] }}</span></p>
        <div class="cw-title-of"><h1>{{ name(alert.place) }}</h1><p class="cw-summary">{{ said(alert) }}</p>
          <p class="cw-foot"><span>{{ stamp(alert.raised_ms) }}</span><span>{{ words[alert.status === 'resolved'
            ? 'lasted' : 'lasts'] }} {{ lasting((alert.resolved_ms ?? at) - alert.raised_ms) }}</span>
            <span v-if="alert.assigned" class="cw-with">{{ words.assigned_to.replace('{who}', alert.assigned) }}</span>
            <span v-if="alert.by" class="cw-by">✓ {{ name(alert.by) }}</span></p></div>
        <nav class="cw-do" v-if="may"><button v-for="[what, key] in deeds" :key="what" :title="key"
          :class="{ first: what === 'acknowledge' }" @click="begin(what)">{{ words[what === 'note' ? 'add_note' : what]
          }}</button></nav>
        <p v-if="why" class="cw-why">{{ words[why] }}</p>
      </header>
      <section class="cw-panel cw-facts"><dl>
        <template v-if="alert.value !== null"><dt>{{ words.value_now }}</dt><dd class="cw-big" :class="alert.severity">{{
          round(alert.value) }} <small>{{ alert.unit }}</small></dd></template>
        <template v-if="alert.threshold !== null"><dt>{{ words.threshold }}</dt><dd>{{ round(alert.threshold) }} <small>{{
          alert.unit }}</small></dd></template>
        <dt>{{ words.rule }}</dt><dd><a :href="path('/alerts?status=any&rule=' + encodeURIComponent(alert.rule))">{{
          ruled(alert.rule) }}</a><small>
          <a :href="path('/rules?q=' + encodeURIComponent(alert.rule.replace(/[.]no_data$/, '')))"
          :title="words.rule_demands">{{ ruled(alert.rule) === alert.rule ? words.rule_demands : alert.rule
          }}</a></small></dd>
        <dt>{{ words.kind }}</dt><dd>{{ kinds[alert.kind]?.[lang === 'en' ? 1 : 0] ?? alert.kind }}</dd>
        <dt>{{ words.subject }}</dt><dd>{{ alert.subject }}</dd>
        <template v-if="alert.district"><dt>{{ words.district }}</dt><dd>{{ district(alert.district) }}</dd></template>
        <dt>{{ words.tenant }}</dt><dd>{{ alert.tenant }}</dd>
        <template v-if="alert.lat !== null"><dt>{{ words.position }}</dt><dd class="cw-n">{{ alert.lat.toFixed(5) }}, {{
          alert.lon.toFixed(5) }}</dd></template>
        <template v-if="alert.note"><dt>{{ words.note }}</dt><dd class="cw-said-note">{{ alert.note }}</dd></template></dl>
        <p class="cw-ways"><a :href="path(alert.link)">{{ words[alert.kind === 'vehicle' ? 'vehicle_page'
          : alert.kind === 'case' ? 'case' : 'device_page'] }}</a><a v-if="may && obeys"
          :href="path(alert.link) + '#commands'" class="cw-to-commands">{{ words.to_commands }}</a><a v-if="cases && alert.kind !== 'case'"
          :href="path('/cases/new?alert=' + encodeURIComponent(alert.id))">{{ words.case_open }}</a><a v-if="runbook"
          :href="runbook" target="_blank" rel="noreferrer noopener">{{
          words.runbook }} ↗</a></p></section>
      <section class="cw-panel cw-life"><p class="cw-h">{{ words.life }}</p><ol>
        <li v-for="(e, i) in events" :key="i" :class="mark(e)"><time>{{ stamp(e.at_ms) }}</time>
          <b>{{ happened(e) }}</b><span v-if="e.by" class="cw-by">{{ name(e.by) }}</span>
          <q v-if="e.note">{{ name(e.note) }}</q></li></ol></section>
      <section class="cw-panel cw-sent"><p class="cw-h">{{ words.sent }}</p>
        <p v-if="!sent.length" class="cw-none">{{ why ? words[why] : words.nobody_told }}</p>
        <ul v-else><li v-for="s in sent" :key="s.id"><span class="cw-state" :class="s.state">{{ words[s.state] }}</span>
          <div><b>{{ s.target }}</b> <span>{{ happened(s) }} · {{ stamp(s.done_ms ?? s.created_ms) }}</span>
          <small v-if="s.detail || s.code">{{ reply(s) }}<template
            v-if="s.state === 'waiting' && s.next_ms"> · {{ words.next_try.replace('{when}', stamp(s.next_ms))
            }}</template></small></div>
          <a class="cw-quiet" :href="path('/deliveries?id=' + encodeURIComponent(s.id))">{{ words.details }}</a>
          <button v-if="may && s.state !== 'waiting'" class="cw-quiet" @click="$emit('replay', s.id)">{{ words.replay
          }}</button></li></ul></section>
      <section class="cw-panel cw-similar"><template v-for="[key, title] in [['here', 'similar_here'], ['rule',
        'similar_rule']]" :key="key"><p class="cw-h">{{ words[title] }}</p>
        <p v-if="!similar[key].length" class="cw-none">{{ words.none_similar }}</p>
        <a v-for="a in similar[key]" :key="a.id" :href="alertPath(a)" :class="a.severity"><i></i><b>{{ key === 'rule'
          ? name(a.place) : words[a.severity] }}</b><span>{{ said(a) }}</span><time :title="stamp(a.raised_ms)">{{
          age(a.raised_ms) }}</time></a></template></section>
      <Deeds ref="deeds" :words="words" :lang="lang" :me="me" :people="people" @act="$emit('act', $event)" />
    </section>`,
  props: { words: Object, lang: String, titles: Object, alert: Object, life: Array, sent: Array, similar: Object, names: Object,
    timezone: String, kinds: Object, me: String, may: Boolean, desk: Boolean, cases: Boolean,
    obeys: Boolean },
  computed: {
    deeds() {
      return DEEDS.filter(([what]) => (this.desk || ["acknowledge", "resolve"].includes(what)) && this.possible(what));
    },
    events() {
      return [...this.life].reverse();
    },
    people() {
      return [...new Set(this.life.flatMap((e) => [e.by, e.to]).filter(Boolean))];
    },
    why() {
      if (this.alert.hold) return `hold_${this.alert.hold}`;
      return this.alert.stale ? "stale_why" : "";
    },
    runbook() {
      return /^https?:\/\//.test(this.alert.runbook ?? "") ? this.alert.runbook : "";
    },
  },
  mounted() {
    this.keys = (e) => this.key(e);
    window.addEventListener("keydown", this.keys);
  },
  unmounted() {
    window.removeEventListener("keydown", this.keys);
  },
  methods: {
    happened(e) {
      return happening(this.words, e);
    },
    mark(e) {
      return [MARKS[e.change] ?? "", MARKS[e.change] === "raise" ? e.level : ""];
    },
    round(value) {
      return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toFixed(2)));
    },
    possible(what) {
      if (what === "acknowledge") return this.alert.status === "firing";
      if (what === "close") return !this.alert.closed_ms;
      return what === "note" || what === "silence" || this.alert.status !== "resolved";
    },
    begin(what) {
      if (this.deeds.some(([known]) => known === what)) this.$refs.deeds.begin(what, [this.alert.id], [this.alert]);
    },
    key(e) {
      if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")
        || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
      const deed = this.may && DEEDS.find(([, key]) => key === e.key);
      if (deed) {
        e.preventDefault();
        this.begin(deed[0]);
      } else if (e.key === "Escape") location.href = this.path("/alerts");
    },
    answered(outcome) {
      this.$refs.deeds.answered(outcome);
    },
    working(done, all) {
      this.$refs.deeds.working(done, all);
    },
  },
};
