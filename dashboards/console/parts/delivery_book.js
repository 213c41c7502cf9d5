// How the targets do, and every message: filtered, looked into, sent again.
import { happening, wording } from "citywarden-console";

const PIECE = 50;

export default {
  mixins: [wording],
  template: `
    <section class="cw-book">
      <div class="cw-title"><h1>{{ words.targets }}</h1></div>
      <p v-if="targets && !targets.length" class="cw-empty">{{ words.no_targets }}</p>
      <div class="cw-targets"><article v-for="t in targets ?? []" :key="t.name" class="cw-panel" :class="'is-' + t.state"
        :data-target="t.name">
        <header><i></i><b>{{ t.name }}</b><span>{{ t.format }}</span></header>
        <p class="cw-standing">{{ words['target_' + t.state] }}<template v-if="t.since_ms"> · {{ stamp(t.since_ms)
          }}</template></p>
        <p class="cw-address">{{ t.address }}</p>
        <dl><dt>{{ words.queue }}</dt><dd :class="{ yellow: t.waiting }">{{ t.waiting }}</dd><dt>{{ words.last_ok }}</dt>
          <dd :title="stamp(t.ok_ms)">{{ t.ok_ms ? age(t.ok_ms) : words.never }}</dd>
          <template v-if="t.error_ms || t.error"><dt>{{ words.last_error }}</dt><dd :title="stamp(t.error_ms)">{{
          t.error_ms ? age(t.error_ms) : '' }} <small>{{ t.error }}</small></dd></template></dl>
        <button v-if="t.state === 'disabled'" class="cw-act" :disabled="!rules" @click="$emit('enable', t.name)">{{
          words.enable }}</button></article></div>
      <div class="cw-title"><h1>{{ words.message }}</h1><div class="cw-form cw-line">
        <select v-model="target" @change="ask()" :aria-label="words.target"><option value="">{{ words.any_target
          }}</option><option v-for="t in targets ?? []" :key="t.name" :value="t.name">{{ t.name }}</option></select>
        <select v-model="state" @change="ask()" :aria-label="words.updates"><option value="">{{ words.any_state
          }}</option><option v-for="s in ['waiting', 'delivered', 'refused', 'expired']" :key="s" :value="s">{{ words[s]
          }}</option></select></div></div>
      <p v-if="targets && !sent.length" class="cw-empty">{{ words.no_deliveries }}</p>
      <div v-else class="cw-panel cw-messages"><button v-for="s in sent" :key="s.id" :data-id="s.id" class="cw-message"
        @click="look(s.id)"><span class="cw-state" :class="s.state">{{ words[s.state] }}</span>
        <b :class="s.severity">{{ s.target }}</b><span class="cw-told">{{ happened(s) }} · {{ name(s.place) }} · {{ said(s)
        }}</span><small class="cw-answer">{{ reply(s) }}</small><small
        class="cw-n">{{ s.attempts }}×</small><time :title="stamp(s.created_ms)">{{ age(s.created_ms) }}</time>
        </button></div>
      <button v-if="more" class="quiet cw-next cw-act" @click="ask(true)">{{ words.load_more }}</button>
      <dialog ref="dialog" class="cw-dialog cw-wide" @close="closed"><form v-if="seen"
        method="dialog"><h3><span class="cw-state" :class="seen.state">{{ words[seen.state] }}</span>{{ seen.target }}
        <small>{{ seen.format }}</small></h3>
        <p class="cw-summary"><a :href="path('/alerts/' + encodeURIComponent(seen.alert))">{{ happened(seen) }} · {{
          name(seen.place) }} · {{ said(seen) }}</a></p>
        <p v-if="seen.together > 1" class="cw-h">{{ words.digest_of.replace('{n}', seen.together - 1) }}</p>
        <p class="cw-h">{{ words.attempts }}</p>
        <p v-if="!seen.tries.length" class="cw-none">{{ words.no_attempts }}</p>
        <ol class="cw-tries"><li v-for="(t, i) in seen.tries" :key="i"><time>{{ stamp(t.at_ms) }}</time><span
          class="cw-state" :class="t.state">{{ words[t.state] }}</span><b>{{ t.code }}</b><span>{{ t.detail }}</span></li>
        </ol>
        <p v-if="seen.state === 'waiting' && seen.next_ms" class="cw-none">{{ words.next_try.replace('{when}',
          stamp(seen.next_ms)) }}</p>
        <p class="cw-h">{{ words.headers }}</p><pre>POST {{ seen.address }}
<template v-for="(value, key) in seen.headers" :key="key">{{ key }}: {{ value }}
</template></pre>
        <p class="cw-h">{{ words.body }}</p><pre>{{ seen.body }}</pre>
        <p v-if="notice" class="cw-notice" role="status">{{ notice }}</p>
        <footer><button class="quiet">{{ words.cancel }}</button><button v-if="may && seen.state !== 'waiting'"
          type="button" @click="$emit('replay', seen.id)">{{ words.replay }}</button></footer></form></dialog>
      <p v-if="notice && !seen" class="cw-toast" role="status">{{ notice }}</p>
    </section>`,
  props: { words: Object, lang: String, timezone: String, targets: Array, sent: Array, more: Boolean, may: Boolean,
    rules: Boolean },
  data() {
    const asked = new URLSearchParams(location.search);
    return { target: asked.get("target") ?? "", state: asked.get("state") ?? "", seen: null, wanted: null, notice: "",
      limit: PIECE };
  },
  mounted() {
    const id = new URLSearchParams(location.search).get("id");
    this.$nextTick(() => {
      this.ask();
      if (id) this.look(id);
    });
  },
  unmounted() {
    clearTimeout(this.fading);
  },
  methods: {
    happened(s) {
      return happening(this.words, s);
    },
    ask(more = false) {
      this.limit = more ? this.limit + PIECE : PIECE;
      this.remember();
      this.$emit("query", { target: this.target, state: this.state, limit: this.limit });
    },
    remember() {
      const url = new URL(location.href);
      const shown = { target: this.target, state: this.state, id: this.seen?.id };
      for (const [key, value] of Object.entries(shown)) {
        if (value) url.searchParams.set(key, value);
        else url.searchParams.delete(key);
      }
      history.replaceState(null, "", url);
    },
    closed() {
      // The event comes late: another message may have been asked for meanwhile.
      if (this.$refs.dialog.open) return;
      if (this.wanted === this.seen?.id) this.wanted = null;
      this.seen = null;
      this.remember();
    },
    look(id) {
      this.wanted = id;
      this.$emit("inspect", id);
    },
    inspected(message) {
      // An answer that comes after the window was closed must not open it again.
      if (message.id !== this.wanted) return;
      if (this.seen?.id !== message.id) this.notice = "";
      this.seen = message;
      this.remember();
      this.$nextTick(() => this.$refs.dialog.open || this.$refs.dialog.showModal());
    },
    tell(key) {
      this.notice = this.words[key] ?? key;
      clearTimeout(this.fading);
      this.fading = setTimeout(() => (this.notice = ""), 5000);
      if (this.seen) this.look(this.seen.id);
    },
  },
};
