// The open alerts on the wall.
import { Bell, Deeds, SEVERITIES, listen, store, wording } from "citywarden-console";

export default {
  mixins: [wording],
  components: { Bell, Deeds },
  template: `
    <section class="cw-alerts">
      <header>
        <h2>{{ words.open_alerts }}<b>{{ counted.total }}</b></h2>
        <div class="cw-counts"><a v-for="s in severities" :key="s" :href="path('/alerts?severity=' + s)"
          :class="[s, { none: !counted.counts[s] }]"><b>{{ counted.counts[s] ?? 0 }}</b><span>{{ words[s] }}</span></a></div>
        <Bell :words="words" />
      </header>
      <div class="cw-scroll">
        <TransitionGroup name="cw-card" tag="div" class="cw-cards">
          <article v-for="a in counted.list" :key="a.id" :data-id="a.id" :class="[a.severity, a.status]"
            @click="focus(a)">
            <p class="cw-grade"><b>{{ words[a.severity] }}</b><time :title="stamp(a.raised_ms)">{{ age(a.raised_ms)
              }}</time></p>
            <div class="cw-what">
              <p class="cw-place"><a :href="alertPath(a)" @click.stop><b :title="name(a.place)">{{ name(a.place)
                }}</b></a></p>
              <p class="cw-summary">{{ said(a) }}</p>
              <p class="cw-foot"><span v-if="a.district">{{ district(a.district) }}</span><span v-if="a.stale">{{
                words.stale_alert }}</span><span v-if="a.hold">{{ words[a.hold] }}</span>
                <span v-if="a.by || a.note" class="cw-by" :title="a.note ?? ''">✓ {{ a.assigned || a.by }}<template
                v-if="a.note"> · {{ a.note }}</template></span>
                <span v-if="a.status === 'resolved'" class="cw-resolved">{{ words.resolved }}</span></p>
            </div>
            <div class="cw-do"><button v-if="may && a.status === 'firing'" @click.stop="$refs.deeds.begin('acknowledge',
              [a.id], [a])">{{ words.acknowledge }}</button></div>
          </article>
        </TransitionGroup>
        <p v-if="loaded && !counted.list.length" class="cw-calm"><i></i>{{ words.none_open }}</p>
      </div>
      <a v-if="counted.more > 0" class="cw-more" :href="path('/alerts')">{{ words.more.replace('{n}', counted.more)
        }}</a>
      <Deeds ref="deeds" :words="words" :lang="lang" :me="me" @act="$emit('act', $event)" />
    </section>`,
  props: { words: Object, lang: String, names: Object, timezone: String, me: String, may: Boolean },
  data: () => ({ severities: SEVERITIES, counted: store.alerts, loaded: store.ready }),
  mounted() {
    this.stop = listen((changed) => {
      if (!changed.full && !changed.alerts) return;
      this.counted = store.alerts;
      this.loaded = true;
    });
  },
  unmounted() {
    this.stop();
  },
  methods: {
    focus(a) {
      window.dispatchEvent(new CustomEvent("cw:focus", { detail: a.id }));
    },
    answered(outcome) {
      this.$refs.deeds.answered(outcome);
    },
    working(done, all) {
      this.$refs.deeds.working(done, all);
    },
  },
};
