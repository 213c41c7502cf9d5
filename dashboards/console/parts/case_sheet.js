// One case: where it stands, until when, what happened to it, its files, and what can be done now.
import { casework, remember, remembered } from "citywarden-console";

const WAY = [["reported", "reported_ms"], ["verified", "verified_ms"], ["accepted", "accepted_ms"], ["filed", "filed_ms"],
  ["dispatched", "dispatched_ms"], ["handled", "handled_ms"], ["checked", "checked_ms"], ["closed", "closed_ms"]];
const MARKS = { opened: "hand", near_due: "near", overdue: "raise", rework: "raise", reject: "raise", withdraw: "raise",
  close: "calm", pass: "calm", alert_resolved: "calm", finish: "calm" };
const QUIET = ["note", "withdraw", "reject", "transfer", "ask_extension", "refuse_extension", "rework"];

export default {
  mixins: [casework],
  template: `
    <section class="cw-sheet-parts">
      <header class="cw-panel cw-case-head" :class="[mood(c.deadline), { ended: !c.deadline }]">
        <div class="cw-title-of"><p class="cw-case-number"><b>{{ c.number }}</b><i :class="'s-' + c.stage">{{
          words['case_' + c.stage] }}</i><span>{{ category(c.category) }}</span></p><h1>{{ name(c.title) }}</h1>
          <p class="cw-foot"><span v-if="c.place">{{ name(c.place) }}</span><span v-if="c.district">{{
            district(c.district) }}</span><span v-if="c.unit" class="cw-with">{{ unit(c.unit) }}</span></p></div>
        <div v-if="c.deadline" class="cw-case-clock"><b>{{ standing(c.deadline) }}</b><span>{{ words['case_' +
          c.deadline.phase] }} · {{ length(c.deadline.limit) }}<template v-if="c.deadline.limit.clock === 'natural'"> · {{
          words.case_natural }}</template><br /><template v-if="c.deadline.due_ms">{{ stamp(c.deadline.due_ms)
          }}</template></span></div>
        <ol class="cw-case-way"><li v-for="[stage, ms] in way" :key="stage" :class="{ done: c[ms], now: stage === next }">
          <i></i><b>{{ words['case_way_' + stage] }}</b><time>{{ c[ms] ? day(c[ms]) : '' }}</time></li></ol>
        <p v-if="c.extension" class="cw-case-asked">{{ words.case_asked.replace('{limit}', length(c.extension.limit))
          .replace('{why}', words['case_why_' + c.extension.why]) }}<q v-if="c.extension.note">{{ unit(c.extension.note) }}</q></p>
        <nav v-if="file.steps.length" class="cw-do"><button v-for="s in steps" :key="s.step" :data-step="s.step"
          :class="{ first: !quiet(s.step), quiet: quiet(s.step) }" @click="begin(s)">{{ words['case_do_' + s.step]
          }}</button></nav>
      </header>
      <section class="cw-panel cw-facts"><p class="cw-h">{{ words.case_facts }}</p><dl>
        <dt>{{ words.case_source }}</dt><dd>{{ source(c.source) }}</dd>
        <dt>{{ words.case_reporter }}</dt><dd>{{ unit(c.reporter) }}</dd>
        <dt>{{ words.case_reported }}</dt><dd class="cw-n">{{ stamp(c.reported_ms) }}</dd>
        <template v-if="c.unit"><dt>{{ words.case_unit }}</dt><dd>{{ unit(c.unit) }}</dd></template>
        <template v-if="c.whole"><dt>{{ words.case_whole }}</dt><dd :class="mood(c.whole)">{{ standing(c.whole)
          }}<small v-if="c.whole.due_ms"> · {{ stamp(c.whole.due_ms) }}</small></dd></template>
        <template v-if="c.lat !== null"><dt>{{ words.case_position }}</dt><dd class="cw-n">{{ c.lat.toFixed(5) }}, {{
          c.lon.toFixed(5) }}</dd></template>
        <template v-if="file.alert"><dt>{{ words.case_alert }}</dt><dd><a :href="path(file.alert)">{{ words.details
          }}</a><small v-if="c.alert_resolved_ms" class="good"> · {{ words.case_ev_alert_resolved }} {{
          day(c.alert_resolved_ms) }}</small></dd></template></dl>
        <p v-if="c.text" class="cw-case-text">{{ c.text }}</p>
        <p class="cw-none">{{ words.case_counts.replace('{r}', c.reworks).replace('{e}', c.extensions)
          .replace('{t}', c.transfers) }}</p></section>
      <section class="cw-panel cw-life"><p class="cw-h">{{ words.case_history }}</p><ol>
        <li v-for="(e, i) in events" :key="i" :class="marks[e.change] ?? 'hand'"><time>{{ stamp(e.at_ms) }}</time>
          <b>{{ happened(e) }}</b><span class="cw-by">{{ e.by ? unit(e.by) : words.case_server }}</span>
          <small v-if="e.why">{{ words['case_why_' + e.why] }}</small><q v-if="e.note">{{ unit(e.note) }}</q></li></ol></section>
      <section class="cw-panel cw-case-files"><p class="cw-h">{{ words.case_evidence }}</p>
        <p v-if="!file.files.length" class="cw-none">{{ words.case_no_evidence }}</p>
        <div class="cw-case-shots"><a v-for="f in file.files" :key="f.id" :href="link(f)" :title="f.name" download>
          <img v-if="f.type.startsWith('image/')" :src="link(f)" :alt="f.name" loading="lazy" /><i v-else>{{
            f.type.split('/')[1].toUpperCase() }}</i><span><em>{{ words['case_' + f.place] }}</em>{{ f.name }}</span></a></div>
        <div v-if="may" class="cw-case-add"><select v-model="when" :aria-label="words.case_evidence"><option v-for="p in
          ['before', 'after', 'other']" :key="p" :value="p">{{ words['case_' + p] }}</option></select>
          <label class="cw-act">{{ words[uploading ? 'case_uploading' : 'case_add_file'] }}<input type="file"
            accept="image/jpeg,image/png,image/webp,application/pdf,video/mp4" multiple :disabled="uploading"
            @change="upload" /></label></div>
        <p v-if="may" class="cw-none">{{ words.case_file_types.replace('{n}', Math.round(largest / 1048576)) }}</p>
        <p v-if="wrong" class="cw-error" role="alert">{{ words.case_upload_failed.replace('{why}', wrong) }}</p></section>
      <dialog ref="dialog" class="cw-dialog" @close="closed"><form v-if="doing" @submit.prevent="send">
        <h3>{{ words['case_do_' + doing.step] }}<small>{{ c.number }}</small></h3>
        <label v-if="!me">{{ words.who }}<input name="who" v-model.trim="by" maxlength="60" autocomplete="name" /></label>
        <label v-if="doing.reasons.length">{{ words.case_why }}<select name="why" v-model="why"><option value=""></option>
          <option v-for="w in doing.reasons" :key="w" :value="w">{{ words['case_why_' + w] }}</option></select></label>
        <label v-if="['dispatch', 'transfer'].includes(doing.step)">{{ words.case_unit }}<input name="unit" v-model.trim="to"
          maxlength="200" list="cw-units" /><datalist id="cw-units"><option v-for="u in file.units" :key="u" :value="u">{{
          unit(u) }}</option></datalist></label>
        <div v-if="doing.step === 'ask_extension'" class="cw-case-length"><label>{{ words.case_longer }}<input type="number"
          name="amount" v-model.number="amount" min="1" max="250" /></label><label><select v-model="counted" name="clock">
          <option value="business_days">{{ words.case_business_days }}</option><option value="business_hours">{{
          words.case_wh.replace('{n} ', '') }}</option><option value="natural">{{ words.case_h.replace('{n} ', '')
          }}</option></select></label></div>
        <label>{{ words.note }}<textarea name="note" v-model.trim="note" maxlength="2000" rows="3"></textarea></label>
        <p v-if="error" class="cw-error" role="alert">{{ words[error] ?? words.case_failed.replace('{why}', error) }}</p>
        <footer><button type="button" class="quiet" @click="$refs.dialog.close()">{{ words.cancel }}</button>
          <button type="submit" :disabled="busy">{{ words.send }}</button></footer></form></dialog>
    </section>`,
  props: { words: Object, lang: String, file: Object, names: Object, timezone: String, categories: Array, me: String,
    may: Boolean, largest: Number },
  data: () => ({ doing: null, by: "", why: "", to: "", note: "", amount: 1, counted: "business_days", error: "",
    busy: false, when: "after", uploading: false, wrong: "", marks: MARKS }),
  computed: {
    c() {
      return this.file.case;
    },
    way() {
      return WAY.filter(([stage]) => stage !== "verified" || this.c.source === "public" || this.c.verified_ms);
    },
    next() {
      return this.c.deadline ? this.way.find(([, ms]) => !this.c[ms])?.[0] : "";
    },
    steps() {
      return [...this.file.steps].sort((a, b) => this.quiet(a.step) - this.quiet(b.step));
    },
    events() {
      return [...this.file.history].reverse();
    },
  },
  mounted() {
    this.by = remembered("who");
  },
  methods: {
    quiet(step) {
      return QUIET.includes(step);
    },
    happened(e) {
      const text = this.words[`case_ev_${e.change}`] ?? e.change;
      return text.replace("{unit}", this.unit(e.unit)).replace("{limit}", e.limit ? this.length(e.limit) : "");
    },
    link(f) {
      return `${window.path_prefix ?? ""}/api/v1/cases/${this.c.id}/evidence/${f.id}`;
    },
    begin(step) {
      this.doing = step;
      const planned = this.categories.find((one) => one.id === this.c.category)?.unit ?? "";
      Object.assign(this, { why: "", note: "", error: "", busy: false, to: step.step === "dispatch" ? planned : "" });
      this.$nextTick(() => {
        this.$refs.dialog.showModal();
        this.$refs.dialog.querySelector("input:not([value]), select, textarea")?.focus();
      });
    },
    closed() {
      // The event comes late: another step may have been begun meanwhile.
      if (!this.$refs.dialog.open) this.doing = null;
    },
    send() {
      const missing = !this.me && !this.by ? "case_who_missing" : this.doing.reasons.length && !this.why
        ? "case_why_missing" : ["dispatch", "transfer"].includes(this.doing.step) && !this.to ? "case_unit_missing"
        : (this.why === "other" || this.doing.step === "note") && !this.note ? "case_note_missing" : "";
      this.error = missing;
      if (missing) return;
      if (!this.me) remember("who", this.by);
      this.busy = true;
      const amount = this.counted === "business_days" ? this.amount : this.amount * 60;
      const longer = this.doing.step === "ask_extension" ? { amount, clock: this.counted } : {};
      this.$emit("act", { step: this.doing.step, by: this.by, note: this.note, why: this.why, unit: this.to, ...longer });
    },
    answered({ ok, why }) {
      this.busy = false;
      this.error = ok ? "" : why;
      if (ok) this.$refs.dialog.close();
    },
    async upload(e) {
      const files = [...e.target.files];
      e.target.value = "";
      this.uploading = true;
      this.wrong = "";
      for (const one of files) {
        if (one.size > this.largest) {
          this.wrong = `${one.name} > ${Math.round(this.largest / 1048576)} MB`;
          continue;
        }
        const asked = new URLSearchParams({ name: one.name.slice(-200) || "file", place: this.when, by: this.by || "api" });
        try {
          const answer = await fetch(`${window.path_prefix ?? ""}/api/v1/cases/${this.c.id}/evidence?${asked}`, {
            method: "POST", body: one, headers: { "content-type": "application/octet-stream",
              "accept-language": this.lang } });
          if (!answer.ok) this.wrong = (await answer.json()).detail.replace(/^body(: |：)/, "");
        } catch (error) {
          this.wrong = String(error.message ?? error);
        }
      }
      this.uploading = false;
    },
  },
};
