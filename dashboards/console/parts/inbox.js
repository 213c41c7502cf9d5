// The inbox: filters in the address, many at once, keys. What it lists is worked out by the server, piece by piece.
import { Bell, Deeds, SEVERITIES, remembered, wording } from "citywarden-console";

const PIECE = 100;
const EMPTY = { severity: "", status: "open", rule: "", kind: "", district: "", tenant: "", assigned: "", age: "",
  q: "", sort: "urgency" };
const AGES = ["15m", "1h", "4h", "24h"];
const ORDERS = [["urgency", "by_urgency"], ["newest", "by_newest"], ["oldest", "by_oldest"], ["place", "by_place"]];
const DEEDS = [["acknowledge", "a"], ["assign", "i"], ["note", "n"], ["resolve", "r"], ["close", "c"], ["silence", "s"]];
const HELP = [["j k", "key_move"], ["x ␣", "key_select"], ["*", "key_all"], ["↵ o", "key_open"], ["/", "key_search"],
  ["m", "key_sound"], ["Esc", "key_escape"], ["?", "key_help"]];

export default {
  mixins: [wording],
  components: { Bell, Deeds },
  template: `
    <section class="cw-alerts inbox">
      <header>
        <h2>{{ words.inbox }}<b v-if="loaded">{{ total }}{{ !counts && more ? '+' : '' }}</b></h2>
        <div class="cw-counts"><button v-for="s in severities" :key="s" :aria-pressed="String(levels.includes(s))"
          @click="level(s)" :class="[s, { on: levels.includes(s), none: counts && !counts[s] }]"><i></i><template
          v-if="counts">{{ counts[s] }}</template><span>{{ words[s] }}</span></button></div>
        <div class="cw-tools">
          <button class="cw-fold" :aria-expanded="String(unfolded)" @click="unfolded = !unfolded">{{ words.filters
            }}<b v-if="narrowed">{{ narrowed }}</b></button>
          <Bell ref="bell" :words="words" />
          <button class="cw-ask" :title="words.help" :aria-label="words.help" @click="$refs.help.showModal()">?</button>
        </div>
        <div class="cw-filters" :class="{ unfolded }">
          <input type="search" v-model="filter.q" :placeholder="words.search" :aria-label="words.search"
            @input="type" />
          <select v-model="filter.status" @change="ask()" :aria-label="words.status">
            <option value="open">{{ words.open_alerts }}</option>
            <option v-for="s in ['firing', 'acknowledged', 'resolved']" :key="s" :value="s">{{ words[s] }}</option>
            <option value="any">{{ words.any_status }}</option></select>
          <select v-for="[key, any, values] in choices" :key="key" v-model="filter[key]" @change="ask()"
            :aria-label="words[any]" :class="{ set: filter[key] }"><option value="">{{ words[any] }}</option>
            <option v-for="[value, text] in values" :key="value" :value="value">{{ text }}</option></select>
          <select v-model="filter.sort" @change="ask()" :aria-label="words.sort" :disabled="past">
            <option v-if="past" :value="filter.sort">{{ words.by_change }}</option>
            <template v-else><option v-for="[value, key] in orders" :key="value" :value="value">{{ words[key]
            }}</option></template></select>
          <button v-if="narrowed" class="quiet cw-clear" @click="clear">{{ words.clear_filters }}</button>
        </div>
        <div v-if="chosen.length" class="cw-bulk"><span>{{ words.selected.replace('{n}', everything ? total
          : chosen.length) }}</span>
          <button v-for="[what, key] in deeds" :key="what" @click="begin(what)" :title="key">{{ words[what === 'note'
            ? 'add_note' : what] }}</button>
          <button v-if="!everything && total > chosen.length" class="quiet" @click="chooseAll">{{
            words.select_all.replace('{n}', total) }}</button>
          <button class="quiet" @click="forget">{{ words.cancel }}</button></div>
      </header>
      <div class="cw-scroll">
        <div ref="list" class="cw-cards" role="listbox" :aria-label="words.inbox" :style="room">
          <article v-for="a in shown" :key="a.id" :data-id="a.id" role="option" :aria-selected="String(isChosen(a))"
            :class="[a.severity, a.status, { at: a.id === here, chosen: isChosen(a) }]" @click="open(a)">
            <p class="cw-grade"><b>{{ words[a.severity] }}</b><time :title="stamp(a.raised_ms)">{{ age(a.raised_ms)
              }}</time></p>
            <label v-if="may && canBeChosen(a)" class="cw-pick" @click.stop><input type="checkbox"
              :checked="isChosen(a)" :aria-label="words.select" @change="choose(a.id)" /></label>
            <div class="cw-what">
              <p class="cw-place"><b :title="name(a.place)">{{ name(a.place) }}</b><small v-if="several">{{ a.tenant
                }}</small></p>
              <p class="cw-summary">{{ said(a) }}</p>
              <p class="cw-foot"><span v-if="a.district">{{ district(a.district) }}</span><span class="cw-rule" :title="a.rule">{{ ruled(a.rule)
                }}</span><span v-if="a.stale">{{ words.stale_alert }}</span>
                <span v-if="a.hold" class="cw-hold">{{ words[a.hold] }}</span>
                <span v-if="a.assigned" class="cw-with">{{ words.assigned_to.replace('{who}', a.assigned) }}</span>
                <span v-if="a.by || a.note" class="cw-by" :title="a.note ?? ''">✓ {{ a.by }}<template v-if="a.note"
                > · {{ a.note }}</template></span>
                <span v-if="a.status === 'resolved'" class="cw-resolved">{{ words.resolved }}</span></p>
            </div>
            <div class="cw-do"><a :href="alertPath(a)" @click.stop>{{ words.details }}</a>
              <button v-if="may && a.status === 'firing'" @click.stop="one('acknowledge', a)">{{ words.acknowledge
                }}</button>
              <button v-else-if="may && a.status === 'acknowledged'" class="quiet" @click.stop="one('resolve', a)">{{
                words.resolve }}</button></div>
          </article>
        </div>
        <p v-if="loaded && !order.length" class="cw-calm"><i></i>{{ words[narrowed || past ? 'nothing_found'
          : 'none_open'] }}</p>
        <button v-if="more" ref="next" class="quiet cw-next" @click="ask(true)">{{ words.load_more }}</button>
        <p class="cw-keys">{{ words.keys }}</p>
      </div>
      <Deeds ref="deeds" :words="words" :lang="lang" :me="me" :people="people" @act="$emit('act', $event)" />
      <dialog ref="help" class="cw-dialog cw-help"><form method="dialog"><h3>{{ words.help }}</h3><dl>
        <template v-for="[keys, what] in help" :key="what"><dt><kbd v-for="k in keys.split(' ')" :key="k">{{ k
          }}</kbd></dt><dd>{{ words[what] }}</dd></template>
        <template v-for="[what, key] in deeds" :key="what"><dt><kbd>{{ key }}</kbd></dt><dd>{{ words[what === 'note'
          ? 'add_note' : what] }}</dd></template></dl>
        <footer><button>{{ words.got_it }}</button></footer></form></dialog>
    </section>`,
  props: { words: Object, lang: String, names: Object, timezone: String, kinds: Object, me: String, may: Boolean,
    desk: Boolean, titles: Object },
  data() {
    const asked = new URLSearchParams(location.search);
    const given = Object.keys(EMPTY).filter((key) => asked.get(key)).map((key) => [key, asked.get(key)]);
    return {
      severities: SEVERITIES, orders: ORDERS, help: HELP, filter: { ...EMPTY, ...Object.fromEntries(given) },
      order: [], views: {}, counts: null, total: 0, more: false, facets: { rules: [], kinds: [], districts: [],
      tenants: [] }, loaded: false, chosen: [], everything: false, here: "", unfolded: false, limit: PIECE,
      first: 0, count: 40, pitch: 102,
    };
  },
  computed: {
    // Only what is in sight, and a little around it, is drawn: a list of thousands is as quick as one of ten.
    shown() {
      return this.order.slice(this.first, this.first + this.count).map((id) => this.views[id]);
    },
    room() {
      const below = Math.max(0, this.order.length - this.first - this.count);
      return { paddingTop: `${this.first * this.pitch}px`, paddingBottom: `${below * this.pitch}px` };
    },
    levels() {
      return this.filter.severity.split(",").filter(Boolean);
    },
    past() {
      return ["resolved", "any"].includes(this.filter.status);
    },
    several() {
      return this.facets.tenants.length > 1;
    },
    deeds() {
      return this.may ? DEEDS.filter(([what]) => this.desk || ["acknowledge", "resolve"].includes(what)) : [];
    },
    people() {
      return [...new Set(Object.values(this.views).flatMap((a) => [a.assigned, a.by]).filter(Boolean))].sort();
    },
    narrowed() {
      return Object.keys(EMPTY).filter((key) => !["sort", "status"].includes(key) && this.filter[key]).length;
    },
    choices() {
      const plain = (values) => values.map((value) => [value, value]);
      const kept = (key, values) => (this.filter[key] && !values.includes(this.filter[key])
        ? [...values, this.filter[key]] : values);
      const { rules, kinds, districts, tenants } = this.facets;
      const ages = AGES.flatMap((age) => [["-" + age, this.words.younger.replace("{n}", this.words[age])],
        ["+" + age, this.words.older.replace("{n}", this.words[age])]]);
      const all = [
        ["kind", "any_kind", kept("kind", kinds).map((k) => [k, this.kinds[k]?.[this.lang === "en" ? 1 : 0] ?? k])],
        ["rule", "any_rule", kept("rule", rules).map((r) => [r, this.ruled(r)])],
        ["district", "any_district", kept("district", districts).map((d) => [d, this.district(d)])],
        ["tenant", "any_tenant", plain(kept("tenant", tenants))],
        ["assigned", "anyone", [["me", this.words.mine], ["none", this.words.nobodys], ["some", this.words.somebodys]]],
        ["age", "any_age", ages.sort((a, b) => (a[0][0] < b[0][0] ? 1 : -1))],
      ];
      return all.filter(([key, , values]) => key !== "tenant" || values.length > 1 || this.filter.tenant);
    },
  },
  mounted() {
    this.keys = (e) => this.key(e);
    window.addEventListener("keydown", this.keys);
    this.scrolled = () => (this.frame ??= requestAnimationFrame(() => this.look()));
    window.addEventListener("scroll", this.scrolled, { passive: true });
    window.addEventListener("resize", this.scrolled);
    this.seen = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && this.ask(true), {
      rootMargin: "600px",
    });
    this.$nextTick(() => this.ask());
  },
  updated() {
    this.scrolled();
    const next = this.$refs.next ?? null;
    if (next === this.watched) return;
    this.seen.disconnect();
    if (next && window.innerHeight < document.documentElement.scrollHeight) this.seen.observe(next);
    this.watched = next;
  },
  unmounted() {
    window.removeEventListener("keydown", this.keys);
    window.removeEventListener("scroll", this.scrolled);
    window.removeEventListener("resize", this.scrolled);
    cancelAnimationFrame(this.frame);
    this.seen.disconnect();
    clearTimeout(this.typing);
  },
  methods: {
    // ---- asking
    ask(more = false) {
      if (more && this.waiting) return;
      this.limit = more ? this.limit + Math.max(PIECE, this.limit / 2) : PIECE;
      this.waiting = true;
      if (!more) this.forget();
      const url = new URL(location.href);
      for (const [key, value] of Object.entries(this.filter)) {
        if (value && value !== EMPTY[key]) url.searchParams.set(key, value);
        else url.searchParams.delete(key);
      }
      history.replaceState(null, "", url);
      this.$emit("query", { ...this.filter, me: this.me || remembered("who"), limit: this.limit });
    },
    type() {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.ask(), 200);
    },
    level(severity) {
      const kept = this.levels.filter((known) => known !== severity);
      this.filter.severity = (kept.length < this.levels.length ? kept : [...kept, severity]).join(",");
      this.ask();
    },
    clear() {
      this.filter = { ...EMPTY, status: this.filter.status, sort: this.filter.sort };
      this.ask();
    },
    // Which of the list is in sight.
    look() {
      this.frame = null;
      const list = this.$refs.list;
      const cards = list?.children ?? [];
      if (!cards.length) return;
      const drawn = cards[cards.length - 1].getBoundingClientRect().bottom - cards[0].getBoundingClientRect().top + 8;
      const pitch = drawn / cards.length;
      if (Math.abs(pitch - this.pitch) > 3) this.pitch = pitch;
      const first = Math.floor(-list.getBoundingClientRect().top / this.pitch / 4) * 4 - 12;
      const count = Math.ceil(window.innerHeight / this.pitch / 4) * 4 + 28;
      this.first = Math.min(Math.max(0, first), Math.max(0, this.order.length - count));
      this.count = count;
    },
    rows({ order, views, more, counts, total, facets }) {
      const known = this.views;
      const fresh = Object.fromEntries(views.map((a) => [a.id, a]));
      this.views = Object.fromEntries(order.map((id) => [id, fresh[id] ?? known[id]]).filter(([, a]) => a));
      this.order = order.filter((id) => this.views[id]);
      Object.assign(this, { more, counts, total, facets });
      this.loaded = true;
      this.waiting = false;
      this.chosen = this.everything ? [...this.order] : this.chosen.filter((id) => this.views[id]);
    },
    // ---- choosing
    canBeChosen(a) {
      return a.status !== "resolved" || (this.desk && !a.closed_ms);
    },
    isChosen(a) {
      return this.chosen.includes(a.id);
    },
    choose(id) {
      this.everything = false;
      this.chosen = this.chosen.includes(id) ? this.chosen.filter((known) => known !== id) : [...this.chosen, id];
    },
    chooseAll() {
      this.everything = true;
      this.chosen = [...this.order];
    },
    forget() {
      this.everything = false;
      this.chosen = [];
    },
    // ---- doing
    one(what, a) {
      this.$refs.deeds.begin(what, [a.id], [a]);
    },
    // What was chosen, else the alert where the keys stand: all to which it can still be done.
    begin(what) {
      if (!this.may || (!this.desk && !["acknowledge", "resolve"].includes(what))) return;
      if (this.everything) {
        this.$refs.deeds.begin(what, "all", [], this.total);
        return;
      }
      const wanted = this.chosen.length ? this.chosen.map((id) => this.views[id]) : [this.views[this.here]];
      const fit = wanted.filter((a) => a && this.possible(what, a));
      if (fit.length) this.$refs.deeds.begin(what, fit.map((a) => a.id), fit);
    },
    possible(what, a) {
      if (what === "acknowledge") return a.status === "firing";
      if (what === "resolve" || what === "assign") return a.status !== "resolved";
      return what !== "close" || !a.closed_ms;
    },
    answered(outcome) {
      for (const a of outcome.changed) if (this.views[a.id]) this.views[a.id] = a;
      if (outcome.ok) this.forget();
      this.$refs.deeds.answered(outcome);
    },
    working(done, all) {
      this.$refs.deeds.working(done, all);
    },
    open(a) {
      location.href = this.alertPath(a);
    },
    // ---- keys
    key(e) {
      if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== "checkbox") {
        if (e.key === "Escape" && e.target.type === "search") e.target.blur();
        return;
      }
      const onButton = ["Enter", " "].includes(e.key) && /^(BUTTON|A)$/.test(e.target.tagName);
      const at = this.order.indexOf(this.here);
      const does = {
        j: () => this.goTo(at + 1), ArrowDown: () => this.goTo(at + 1),
        k: () => this.goTo(Math.max(0, at - 1)), ArrowUp: () => this.goTo(Math.max(0, at - 1)),
        x: () => this.pick(), " ": () => this.pick(), "*": () => this.may && this.chooseAll(),
        o: () => at >= 0 && this.open(this.views[this.here]), Enter: () => at >= 0 && this.open(this.views[this.here]),
        Escape: () => this.forget(), "/": () => this.$el.querySelector('input[type="search"]').focus(),
        m: () => this.$refs.bell.turn(), "?": () => this.$refs.help.showModal(),
        ...Object.fromEntries(DEEDS.map(([what, key]) => [key, () => this.begin(what)])),
      }[e.key];
      if (!does || onButton) return;
      e.preventDefault();
      does();
    },
    pick() {
      const a = this.views[this.here];
      if (a && this.may && this.canBeChosen(a)) this.choose(a.id);
    },
    goTo(place) {
      const id = this.order[Math.min(place, this.order.length - 1)];
      if (!id) return;
      this.here = id;
      if (place >= this.order.length - 5 && this.more) this.ask(true);
      const at = this.order.indexOf(id);
      if (at < this.first || at >= this.first + this.count) this.first = Math.max(0, at - 12);
      this.$nextTick(() => this.$el.querySelector("article.at")?.scrollIntoView({ block: "nearest" }));
    },
  },
};
