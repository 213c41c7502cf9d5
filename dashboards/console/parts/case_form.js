// A new case.
import { casework, remember, remembered } from "citywarden-console";

export default {
  mixins: [casework],
  template: `
    <form class="cw-panel cw-case-form cw-form" @submit.prevent="send">
      <h2>{{ words.case_new }}<small v-if="form.alert">{{ words.case_from_alert }} · <a :href="path('/alerts/' +
        form.alert)">{{ words.details }}</a></small></h2>
      <fieldset class="cw-case-kinds"><legend>{{ words.case_category }}</legend>
        <label v-for="c in categories" :key="c.id" :class="{ on: kind === c.id }"><input type="radio" name="category"
          :value="c.id" v-model="kind" />{{ lang === 'en' ? c.en : c.zh }}</label></fieldset>
      <label>{{ words.case_title }}<input name="title" v-model.trim="title" maxlength="200" /></label>
      <label>{{ words.case_text }}<textarea name="text" v-model.trim="text" maxlength="4000" rows="4"></textarea></label>
      <div class="cw-fields">
        <label>{{ words.case_place }}<input name="place" v-model.trim="place" maxlength="200" /></label>
        <label>{{ words.case_district }}<select name="district" v-model="where"><option value=""></option><option v-for="d in
          listed" :key="d" :value="d">{{ district(d) }}</option></select></label>
        <label v-if="!form.alert">{{ words.case_source }}<select name="source" v-model="from"><option v-for="s in ['patrol',
          'public', 'leaders']" :key="s" :value="s">{{ source(s) }}</option></select></label>
        <label v-if="!me">{{ words.case_reporter }}<input name="who" v-model.trim="by" maxlength="60"
          autocomplete="name" /></label>
      </div>
      <div class="cw-fields"><label>{{ words.case_latitude }}<input type="number" step="any" name="lat" v-model.number="lat"
        min="-90" max="90" /></label><label>{{ words.case_longitude }}<input type="number" step="any" name="lon"
        v-model.number="lon" min="-180" max="180" /></label><button v-if="located" type="button" class="cw-act"
        @click="locate">{{ words.case_here }}</button></div>
      <p v-if="error" class="cw-error" role="alert">{{ words[error] ?? words.case_failed.replace('{why}', error) }}</p>
      <footer><a class="cw-act quiet" :href="path('/cases')">{{ words.cancel }}</a><button class="cw-act first"
        type="submit" :disabled="busy">{{ words.case_open }}</button></footer>
    </form>`,
  props: { words: Object, lang: String, form: Object, names: Object, districts: Array, timezone: String, categories: Array,
    me: String, may: Boolean },
  data() {
    const f = this.form;
    return { kind: f.category, title: f.title, text: "", place: f.place, where: f.district, from: "patrol", lat: f.lat ?? "",
      lon: f.lon ?? "", by: "", error: "", busy: false, located: window.isSecureContext && !!navigator.geolocation };
  },
  computed: {
    listed() {
      return [...new Set([...this.districts, this.form.district])].filter(Boolean);
    },
  },
  mounted() {
    this.by = remembered("who");
  },
  methods: {
    locate() {
      navigator.geolocation.getCurrentPosition(({ coords }) => {
        this.lat = Number(coords.latitude.toFixed(6));
        this.lon = Number(coords.longitude.toFixed(6));
      });
    },
    send() {
      this.error = !this.kind || !this.title ? "case_title_missing" : !this.me && !this.by ? "case_who_missing" : "";
      if (this.error) return;
      if (!this.me) remember("who", this.by);
      this.busy = true;
      const number = (value) => (value === "" ? null : value);
      this.$emit("send", { category: this.kind, title: this.title, text: this.text, place: this.place,
        district: this.where, source: this.from, lat: number(this.lat), lon: number(this.lon), by: this.by });
    },
    answered({ ok, where }) {
      this.busy = false;
      if (ok) location.href = this.path(`/cases/${where}`);
      else this.error = where;
    },
  },
};
