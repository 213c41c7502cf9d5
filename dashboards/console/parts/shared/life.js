// How an alert is worded: its place, age, times, and what it is held back by.
import { ago, named, now } from "citywarden-console";

export const SEVERITIES = ["critical", "major", "minor", "info"];

export const wording = {
  data: () => ({ at: now() }),
  mounted() {
    this.clock = setInterval(() => (this.at = now()), 1000);
  },
  unmounted() {
    clearInterval(this.clock);
  },
  methods: {
    name(place) {
      return place.split(" · ").map((half) => named(half, this.lang)).join(" · ");
    },
    said(a) {
      return this.lang === "en" ? a.en : a.zh;
    },
    age(ms) {
      return ago(ms, this.words, this.at);
    },
    stamp(ms) {
      // The Swedish way of writing a time is ISO 8601's, which is read alike in both languages.
      return ms === null || ms === undefined ? "–" : new Date(ms).toLocaleString("sv-SE", { timeZone: this.timezone });
    },
    lasting(ms) {
      const s = Math.max(0, Math.round(ms / 1000));
      const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
      const two = (n) => String(n).padStart(2, "0");
      return `${d ? `${d} d ` : ""}${two(h)}:${two(m)}:${two(s % 60)}`;
    },
    // What a receiver answered: its status, and what that means where it is more than "taken".
    reply({ code, detail }) {
      return [code && `HTTP ${code}`, detail?.replace(/^HTTP \d+: /, "")].filter(Boolean).join(" · ");
    },
    // What a rule is called; one without a title is shown by its id.
    ruled(rule) {
      return this.titles?.[rule]?.[this.lang === "en" ? 1 : 0] ?? rule;
    },
    district(name) {
      return this.names?.[name]?.[this.lang === "en" ? 1 : 0] ?? name;
    },
    path(there) {
      return `${window.path_prefix ?? ""}${there}${there.includes("?") ? "&" : "?"}lang=${this.lang}`;
    },
    alertPath(a) {
      return this.path(`/alerts/${encodeURIComponent(a.id)}`);
    },
  },
};
