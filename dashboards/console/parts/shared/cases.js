// What the cases' parts say alike: categories, units, lengths of time, deadlines that run.
import { wording } from "./life.js";
import { named } from "./names.js";

export const casework = {
  mixins: [wording],
  methods: {
    category(id) {
      const found = this.categories.find((one) => one.id === id);
      return found ? (this.lang === "en" ? found.en : found.zh) : id;
    },
    unit(name) {
      return named(name, this.lang);
    },
    source(name) {
      return this.words[`case_from_${name}`];
    },
    span(ms, hours = "case_h") {
      const minutes = Math.floor(Math.abs(ms) / 60000);
      const put = (key, n) => this.words[key].replace("{n}", n);
      const [d, h, m] = [Math.floor(minutes / 1440), Math.floor(minutes / 60), minutes % 60];
      if (hours === "case_h" && d) return [put("case_d", d), h % 24 ? put("case_h", h % 24) : ""].join(" ").trim();
      return [h ? put(hours, h) : "", m || !h ? put("case_min", m) : ""].join(" ").trim();
    },
    length({ amount, clock }) {
      if (clock === "business_days") return `${amount} ${this.words.case_business_days}`;
      return this.span(amount * 60000, clock === "natural" ? "case_h" : "case_wh");
    },
    // Natural time runs on here; working time stands still outside business hours, so the server counts it.
    left(d) {
      if (d.left_ms === null) return null;
      return d.limit.clock === "natural" && this.at >= d.left_at ? d.due_ms - this.at : d.left_ms;
    },
    standing(d) {
      if (!d) return "";
      if (d.due_ms === null) return this.words.case_due_unknown.replace("{y}", d.unknown_year);
      const late = this.late(d);
      const ms = this.left(d);
      const text = ms === null ? this.stamp(d.due_ms) : this.span(ms, d.limit.clock === "natural" ? "case_h" : "case_wh");
      return this.words[late ? "case_late" : "case_left"].replace("{t}", text);
    },
    late(d) {
      return !!d && d.due_ms !== null && (d.overdue || this.at > d.due_ms);
    },
    mood(d) {
      return !d ? "" : this.late(d) ? "late" : d.near ? "near" : "";
    },
    day(ms) {
      return this.stamp(ms).slice(5, 16);
    },
  },
};
