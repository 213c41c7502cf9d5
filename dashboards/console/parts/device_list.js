// The devices: searched, of a kind, in a state.
import { wording } from "citywarden-console";

const PIECE = 100;

export default {
  mixins: [wording],
  template: `
    <section class="cw-book">
      <div class="cw-title"><h1>{{ words.devices }}</h1><span v-if="listed">{{ words.device_count.replace('{n}',
        listed.total) }}</span></div>
      <div class="cw-form cw-line cw-search"><input type="search" v-model="filter.q" :placeholder="words.search_devices"
        :aria-label="words.search_devices" @input="type" />
        <select v-model="filter.kind" @change="filter.state = ''; ask()" :aria-label="words.kind"><option value="">{{
          words.any_kind }}</option><option v-for="(pair, kind) in kinds" :key="kind" :value="kind">{{ pair[lang === 'en'
          ? 1 : 0] }}</option></select></div>
      <div class="cw-choices" v-if="listed"><button v-for="(n, state) in listed.states" :key="state"
        :class="{ on: filter.state === state }" :aria-pressed="String(filter.state === state)" @click="only(state)"><i
        class="cw-dot" :style="{ background: colours[state] }"></i>{{ words[state] ?? state }} <b>{{ n }}</b></button></div>
      <p v-if="listed?.ready && !listed.total" class="cw-empty">{{ words.no_devices }}</p>
      <div v-else-if="listed" class="cw-panel cw-things"><a v-for="d in listed.rows" :key="d.tenant + d.kind + d.id"
        :href="path(d.path)"><i class="cw-dot" :style="{ background: colours[d.state] }"></i>
        <b>{{ name(d.name || d.id) }}</b><span class="cw-id">{{ d.id }}</span>
        <span>{{ kinds[d.kind]?.[lang === 'en' ? 1 : 0] ?? d.kind }}</span><span>{{ district(d.district) }}</span>
        <span :style="{ color: colours[d.state] }">{{ words[d.state] ?? d.state }}</span><span class="cw-n">{{ d.value
        }}</span><span class="cw-alarm"><b v-if="d.alerts">{{ d.alerts }}</b></span>
        <time :title="stamp(d.ts_ms)">{{ d.ts_ms ? age(d.ts_ms) : words.never }}</time></a></div>
      <button v-if="listed?.more" class="quiet cw-next cw-act" @click="ask(true)">{{ words.load_more }}</button>
    </section>`,
  props: { words: Object, lang: String, names: Object, timezone: String, kinds: Object, colours: Object },
  data() {
    const asked = new URLSearchParams(location.search);
    const filter = Object.fromEntries(["q", "kind", "state"].map((key) => [key, asked.get(key) ?? ""]));
    return { filter, listed: null, limit: PIECE };
  },
  mounted() {
    this.$nextTick(() => this.ask());
    this.keys = (e) => {
      if (e.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
      e.preventDefault();
      this.$el.querySelector("input").focus();
    };
    window.addEventListener("keydown", this.keys);
  },
  unmounted() {
    clearTimeout(this.typing);
    window.removeEventListener("keydown", this.keys);
  },
  methods: {
    ask(more = false) {
      this.limit = more ? this.limit + PIECE : PIECE;
      const url = new URL(location.href);
      for (const [key, value] of Object.entries(this.filter)) {
        if (value) url.searchParams.set(key, value);
        else url.searchParams.delete(key);
      }
      history.replaceState(null, "", url);
      this.$emit("query", { ...this.filter, limit: this.limit });
    },
    type() {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.ask(), 200);
    },
    only(state) {
      this.filter.state = this.filter.state === state ? "" : state;
      this.ask();
    },
    rows(listed) {
      this.listed = listed;
    },
  },
};
