// Clock, city, lamp, ways to the other pages, language. It also receives the frames for the whole page, and says when
// the server is not there.
import { complainInWords, listen, now, store, take } from "citywarden-console";

export default {
  template: `
    <header class="cw-top">
      <a class="cw-brand" :href="link('/')"><svg viewBox="0 0 32 32" aria-hidden="true"><path
        d="M4 28V15l6-4v17M12 28V6l8-3v25M22 28V13l6 4v11" /></svg><b>{{ city }}</b><span>{{ words[title] }}</span></a>
      <button class="cw-menu" :aria-expanded="String(open)" :aria-label="words.menu" @click="open = !open"><svg
        viewBox="0 0 24 24" aria-hidden="true"><path :d="open ? 'M6 6l12 12M18 6L6 18' : 'M4 7h16M4 12h16M4 17h16'"
        /></svg></button>
      <nav :class="{ open }" :aria-label="words.menu"><a v-for="[path, key] in pages" :key="path" :href="link(path)"
        :class="{ here: key === section }" :aria-current="key === section ? 'page' : null">{{ words[key] ?? key }}<b
        v-if="path === '/alerts' && critical" class="cw-badge">{{ critical }}</b></a></nav>
      <div class="cw-lamp" :class="{ bad: !health.ok }" :title="wrong"><i></i><span>{{ health.ok ? words.healthy
        : words.unhealthy }}</span></div>
      <a class="cw-account" :href="link('/account')" :title="who ? words.signed_in_as : words.account"
        :aria-label="words.account"><svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="8.2" r="3.9" /><path
        d="M4.5 20c.8-4.2 3.9-6 7.5-6s6.7 1.8 7.5 6" /></svg><span v-if="who" class="cw-who">{{ who }}</span></a>
      <button class="cw-language" @click="$emit('language')">{{ words.language }}</button>
      <div class="cw-clock"><b>{{ time }}</b><span>{{ day }}</span></div>
      <p v-if="lost" class="cw-lost" role="alert">{{ words.reconnecting }}</p>
    </header>`,
  props: { words: Object, lang: String, city: String, title: String, timezone: String, pages: Array, who: String },
  data: () => ({ health: store.health, time: "", day: "", open: false, lost: false, critical: 0 }),
  computed: {
    section() {
      return { alert: "inbox", device_history: "devices", vehicle_day: "supervision" }[this.title] ?? this.title;
    },
    wrong() {
      return Object.entries(this.health.wrong ?? {}).map(([part, what]) => `${part}: ${what}`).join("\n");
    },
  },
  mounted() {
    this.stop = listen((changed) => {
      if (changed.health) this.health = store.health;
      if (changed.alerts) this.critical = store.alerts.counts.critical ?? 0;
    });
    document.documentElement.lang = this.lang;
    this.quiet = complainInWords(() => this.words);
    this.tick();
    this.timer = setInterval(this.tick, 1000);
    this.measure = () => this.$emit("screen", Math.min(innerWidth / 1920, innerHeight / 1080));
    this.measure();
    window.addEventListener("resize", this.measure);
    // The framework knows when its connection is gone and says so in a box of its own, which ours replaces.
    const popup = document.getElementById("popup");
    this.watcher = new MutationObserver(() => (this.lost = popup.ariaHidden === "false"));
    if (popup) this.watcher.observe(popup, { attributes: true, attributeFilter: ["aria-hidden"] });
  },
  unmounted() {
    this.stop();
    this.quiet();
    this.watcher.disconnect();
    clearInterval(this.timer);
    window.removeEventListener("resize", this.measure);
  },
  watch: {
    lang(value) {
      this.tick();
      document.documentElement.lang = value;
      const url = new URL(location.href);
      url.searchParams.set("lang", value);
      history.replaceState(null, "", url);
    },
  },
  methods: {
    frame(frame) {
      take(frame);
      this.$emit("shown", frame.seq);
    },
    link(path) {
      return `${window.path_prefix ?? ""}${path}?lang=${this.lang}`;
    },
    tick() {
      const at = new Date(now());
      const zone = { timeZone: this.timezone };
      this.time = at.toLocaleTimeString("en-GB", zone);
      this.day = at.toLocaleDateString(this.lang === "en" ? "en-GB" : "zh-CN", {
        ...zone, year: "numeric", month: "long", day: "numeric", weekday: "long",
      });
    },
  },
};
