// The sound of a critical alert, for those who want it: remembered by the browser.
import { listen, remember, remembered, store } from "citywarden-console";

let sound = null;

function ring() {
  sound ??= new AudioContext();
  sound.resume();
  [880, 660, 880].forEach((pitch, i) => {
    const [tone, volume, at] = [sound.createOscillator(), sound.createGain(), sound.currentTime + i * 0.22];
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.3, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.2);
    tone.connect(volume).connect(sound.destination);
    tone.start(at);
    tone.stop(at + 0.21);
  });
}

export const Bell = {
  template: `
    <button class="cw-sound" :class="{ on: loud }" :title="words[loud ? 'sound_on' : 'sound_off']"
      :aria-label="words[loud ? 'sound_on' : 'sound_off']" :aria-pressed="String(loud)" @click="turn"
      ><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9.5v5h3.5L12 19V5L7.5 9.5z" /><path
      :d="loud ? 'M15 9a4 4 0 0 1 0 6M17.5 6.5a8 8 0 0 1 0 11' : 'M15.5 9.5l5 5M20.5 9.5l-5 5'" /></svg></button>`,
  props: { words: Object },
  data: () => ({ loud: false }),
  mounted() {
    this.loud = remembered("sound") === "on";
    this.stop = listen((changed) => {
      if (changed.full || changed.alerts) this.hear(changed.full);
    });
  },
  unmounted() {
    this.stop();
  },
  methods: {
    turn() {
      this.loud = !this.loud;
      remember("sound", this.loud ? "on" : "off");
      if (this.loud) ring();
    },
    hear(first) {
      const burning = store.alerts.list.filter((a) => a.severity === "critical" && a.status === "firing");
      const fresh = !first && this.known && burning.some((a) => !this.known.has(a.id));
      this.known = new Set(burning.map((a) => a.id));
      if (fresh && this.loud) ring();
    },
  },
};
