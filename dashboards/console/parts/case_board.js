// The board of cases: a column for each thing that has to be done next.
import { casework } from "citywarden-console";

const COLUMNS = [
  ["intake", ["reported", "verified", "accepted"]], ["dispatch", ["filed"]], ["work", ["dispatched", "handling"]],
  ["check", ["handled"]], ["close", ["checked"]], ["ended", ["closed", "rejected", "withdrawn"]],
];

export default {
  mixins: [casework],
  template: `
    <section class="cw-cases">
      <header>
        <h2>{{ words.cases }}<b>{{ counts.open }}</b></h2>
        <div class="cw-case-counts"><button class="late" :class="{ on: overdue, none: !counts.overdue }" @click="toggle"
          :aria-pressed="String(overdue)"><i></i>{{ counts.overdue }} <span>{{ words.case_overdue }}</span></button>
          <p class="near" :class="{ none: !counts.near }"><i></i>{{ counts.near }} <span>{{ words.case_near }}</span></p>
          <p class="done"><i></i>{{ counts.today }} <span>{{ words.case_today }}</span></p></div>
        <nav><a class="cw-act" :href="base + '/api/v1/cases/export'" download>{{ words.case_export }}</a>
          <a v-if="may" class="cw-act first" :href="path('/cases/new')">＋ {{ words.case_new }}</a></nav>
        <div class="cw-filters">
          <input type="search" v-model.trim="text" @input="soon" :placeholder="words.case_search"
            :aria-label="words.case_search" />
          <select v-model="categoryWanted" @change="ask" :aria-label="words.case_category"><option value="">{{
            words.case_all_categories }}</option><option v-for="c in categories" :key="c.id" :value="c.id">{{
            lang === 'en' ? c.en : c.zh }}</option></select>
          <select v-model="unitWanted" @change="ask" :aria-label="words.case_unit"><option value="">{{
            words.case_all_units }}</option><option v-for="u in units" :key="u" :value="u">{{ unit(u) }}</option></select>
          <select v-model="districtWanted" @change="ask" :aria-label="words.case_district"><option value="">{{
            words.case_all_districts }}</option><option v-for="d in districts" :key="d" :value="d">{{ district(d)
            }}</option></select>
        </div>
      </header>
      <div class="cw-case-columns" :style="{ '--n': columns.length }">
        <section v-for="[key, cards] in columns" :key="key" :class="key">
          <h3>{{ words['case_col_' + key] }}<b>{{ key === 'ended' ? '' : cards.length }}</b></h3>
          <TransitionGroup name="cw-card" tag="div">
            <a v-for="c in cards" :key="c.id" :href="path('/cases/' + c.id)" :data-id="c.id" :data-number="c.number"
              :class="[mood(c.deadline), { at: c.id === here, ended: key === 'ended' }]">
              <p class="cw-case-top"><span>{{ c.number }}</span><em>{{ category(c.category) }}</em></p>
              <b>{{ name(c.title) }}</b>
              <p class="cw-case-where"><span v-if="c.place">{{ name(c.place) }}</span><span v-if="c.district">{{
                district(c.district) }}</span></p>
              <p v-if="c.unit" class="cw-case-unit">{{ unit(c.unit) }}</p>
              <p class="cw-case-foot"><i :class="'s-' + c.stage">{{ words['case_' + c.stage] }}</i><i v-if="c.reworks"
                class="again">{{ words.case_do_rework }} {{ c.reworks }}</i><i v-if="c.asked" class="again">{{
                words.case_do_ask_extension }}</i><time v-if="c.deadline">{{ standing(c.deadline) }}</time><time v-else>{{
                age(c.ended_ms ?? c.updated_ms) }}</time></p>
            </a>
          </TransitionGroup>
          <p v-if="loaded && !cards.length" class="cw-case-empty">–</p>
        </section>
      </div>
      <p class="cw-keys">{{ words.case_keys }}</p>
    </section>`,
  props: { words: Object, lang: String, names: Object, timezone: String, categories: Array, me: String, may: Boolean },
  data: () => ({ cards: [], counts: { open: 0, overdue: 0, near: 0, today: 0 }, units: [], text: "", categoryWanted: "",
    unitWanted: "", districtWanted: "", overdue: false, here: "", loaded: false }),
  computed: {
    base() {
      return window.path_prefix ?? "";
    },
    columns() {
      const due = (c) => c.deadline?.due_ms ?? Infinity;
      return COLUMNS.map(([key, stages]) => [key, this.cards.filter((c) => stages.includes(c.stage)).sort((a, b) =>
        key === "ended" ? (b.ended_ms ?? 0) - (a.ended_ms ?? 0) : due(a) - due(b) || a.reported_ms - b.reported_ms)]);
    },
    inOrder() {
      return this.columns.flatMap(([, cards]) => cards);
    },
    districts() {
      const known = Object.values(this.names ?? {}).map((pair) => pair[1]);
      return [...new Set([...known, ...this.cards.map((c) => c.district)])].filter(Boolean).sort();
    },
  },
  mounted() {
    const asked = new URLSearchParams(location.search);
    this.text = asked.get("text") ?? "";
    this.overdue = asked.get("overdue") === "1";
    this.keys = (e) => this.key(e);
    window.addEventListener("keydown", this.keys);
    this.$nextTick(this.ask);
  },
  unmounted() {
    window.removeEventListener("keydown", this.keys);
    clearTimeout(this.waiting);
  },
  methods: {
    rows({ cards, counts, units }) {
      Object.assign(this, { cards, counts, units, loaded: true });
    },
    ask() {
      this.$emit("query", { text: this.text, category: this.categoryWanted, unit: this.unitWanted,
        district: this.districtWanted, overdue: this.overdue });
    },
    soon() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(this.ask, 250);
    },
    toggle() {
      this.overdue = !this.overdue;
      this.ask();
    },
    key(e) {
      if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) {
        if (e.key === "Escape") e.target.blur();
        return;
      }
      const at = this.inOrder.findIndex((c) => c.id === this.here);
      const does = {
        j: () => this.goTo(at + 1), ArrowDown: () => this.goTo(at + 1), k: () => this.goTo(Math.max(0, at - 1)),
        ArrowUp: () => this.goTo(Math.max(0, at - 1)),
        o: () => at >= 0 && (location.href = this.path(`/cases/${this.here}`)),
        n: () => this.may && (location.href = this.path("/cases/new")),
        "/": () => this.$el.querySelector('input[type="search"]').focus(),
      }[e.key];
      if (!does) return;
      e.preventDefault();
      does();
    },
    goTo(place) {
      const found = this.inOrder[Math.min(place, this.inOrder.length - 1)];
      if (!found) return;
      this.here = found.id;
      this.$nextTick(() => this.$el.querySelector("a.at")?.scrollIntoView({ block: "nearest" }));
    },
  },
};
