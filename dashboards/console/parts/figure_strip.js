// The big figures.
import { listen, store } from "citywarden-console";

export default {
  template: `
    <section class="cw-strip">
      <div v-for="tile in tiles" :key="tile.key" class="cw-tile" :data-key="tile.key">
        <h2>{{ words[tile.key] }}</h2>
        <p class="cw-number" :class="tile.tone"><b>{{ tile.value }}</b><small>{{ tile.unit }}</small></p>
        <p class="cw-parts"><span v-for="[key, value, tone] in tile.parts" :key="key" :data-part="key">{{ words[key] }}
          <b :class="tone">{{ value }}</b></span></p>
      </div>
    </section>`,
  props: { words: Object },
  data: () => ({ tiles: store.tiles }),
  mounted() {
    this.stop = listen((changed) => {
      if (changed.full || changed.tiles) this.tiles = store.tiles;
    });
  },
  unmounted() {
    this.stop();
  },
};
