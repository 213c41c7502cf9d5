// The city on one map: districts, planned roads, every device, open alerts. Leaflet gives the projection and the
// gestures; everything is drawn on three canvases (ground, things, pulses), so thousands of devices cost one redraw.
import { leaflet as L } from "nicegui-leaflet";
import {
  bounds, disc, drawBanners, drawFlood, drawGas, drawGround, drawLamp, drawTail, drawVehicle, inside, listen, named,
  outline, ring, sign, store,
} from "citywarden-console";

const CLICK_PX = 16;
const PULSE_MS = 2200;
const FRAME_MS = 80;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export default {
  template: `
    <div class="cw-map">
      <div ref="map" class="cw-map-ground"></div>
      <canvas v-for="layer in 3" :key="layer" ref="canvas"></canvas>
      <div ref="tip" class="cw-tip" v-show="tip !== null"></div>
      <button v-if="away" class="cw-home" :title="words.whole_city" :aria-label="words.whole_city" @click="home()"><svg
        viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5" /></svg></button>
      <div class="cw-legend" ref="legend">
        <button v-for="[kind, name, states] in legend" :key="kind" :class="{ hidden: hidden[kind] }"
          @click="toggle(kind)"><b>{{ name }}</b><span v-for="state in states" :key="state"><i
          :class="kind" :style="{ '--c': colours[kind === 'road' ? 'road' : 'state'][state] }"></i>{{ words[state]
          }}</span></button>
      </div>
    </div>`,
  props: { words: Object, lang: String, districts: Object, colours: Object, kinds: Object, day: Object, zones: Array, spot: Object },
  data: () => ({ hidden: {}, tip: null, away: false }),
  computed: {
    legend() {
      const states = {
        streetlight: ["lit", "off", "dark", "faulty"], waterlogging: ["watch", "yellow", "orange", "red"],
        gas: ["safe", "low", "high"], vehicle: ["working", "idle", "driving", "offline"],
      };
      const roads = ["road", this.words.plan, ["covered", "open", "missed", "ahead"]];
      if (this.day) {
        return [["road", this.words.plan, ["covered", "missed", "open", "ahead"]],
          ["track", this.words.activity, ["working", "idle", "driving", "unknown"]]];
      }
      const rows = Object.entries(this.kinds).map(([kind, names]) => [
        kind, this.lang === "en" ? names.en : names.zh, states[kind] ?? ["ok", "no_data"],
      ]);
      return [...rows, roads];
    },
  },
  mounted() {
    this.map = L.map(this.$refs.map, {
      attributionControl: false, zoomControl: false, zoomSnap: 0, zoomAnimation: false, fadeAnimation: false,
      preferCanvas: true, center: [22.54, 114.06], zoom: 11,
    });
    this.map.on("move zoom resize", () => this.drawAll());
    this.map.on("dragstart", () => this.leave());
    this.$refs.map.addEventListener("wheel", () => this.leave(), { passive: true });
    this.map.on("click", (e) => this.open(e.containerPoint));
    this.map.on("mousemove", (e) => this.hover(e.containerPoint));
    this.map.on("mouseout", () => this.showTip(null));
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.$el);
    this.focus = (e) => this.goTo(e.detail);
    window.addEventListener("cw:focus", this.focus);
    this.resize();
    this.fit();
    if (!this.day) {
      this.stop = listen((changed) => {
        if (changed.full && !this.fitted) this.fit();
        if (changed.roads) this.drawGround();
        if (changed.map || changed.full) this.drawThings();
        if (changed.full || changed.pulses || changed.alerts) this.animate();
      });
    }
    this.animate();
    document.addEventListener("visibilitychange", this.animate);
  },
  unmounted() {
    this.stop?.();
    this.watcher.disconnect();
    window.removeEventListener("cw:focus", this.focus);
    document.removeEventListener("visibilitychange", this.animate);
    clearTimeout(this.timer);
    this.map.remove();
  },
  watch: {
    lang() {
      this.drawAll();
    },
    day() {
      if (!this.fitted) this.fit();
      this.drawAll();
    },
    spot() {
      this.drawAll();
    },
  },
  methods: {
    // ---- view
    resize() {
      const { clientWidth: w, clientHeight: h } = this.$el;
      const ratio = window.devicePixelRatio || 1;
      for (const canvas of this.$refs.canvas) {
        canvas.width = w * ratio;
        canvas.height = h * ratio;
        canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
      }
      this.size = [w, h];
      this.u = Math.min(2.4, Math.max(0.85, Math.min(w / 1400, h / 700)));
      this.map.invalidateSize({ animate: false });
      if (this.fitted && !this.moved) this.fit();
      this.drawAll();
    },
    fit() {
      const points = [];
      if (this.day) {
        for (const road of this.day.roads) for (const run of road[3]) points.push(...run[4]);
        for (const [, line] of this.day.track) points.push(...line);
      } else {
        for (const t of store.things.values()) points.push([t.lon, t.lat]);
      }
      if (this.spot) {
        this.fitted = true;
        const near = [...(this.spot.trail ?? []), [this.spot.lon, this.spot.lat]];
        this.map.fitBounds(bounds(near, 0), { maxZoom: 16.5, padding: [30, 30], animate: false });
        return;
      }
      if (points.length) this.fitted = store.ready || !!this.day;
      const box = points.length ? bounds(points, this.day ? 0 : 0.01) : bounds(outline(this.districts), 0);
      if (box && this.size[0] && this.size[1]) {
        const aside = 34 * this.u;
        const low = this.$refs.legend.offsetHeight + 26 * this.u;
        this.map.fitBounds(box, { paddingTopLeft: [aside, 40 * this.u], paddingBottomRight: [aside, low], animate: false });
      }
    },
    goTo(id) {
      const pulse = store.pulses.find((p) => p[0] === id);
      if (!pulse) return;
      this.leave();
      this.map.setView([pulse[2], pulse[1]], Math.max(this.map.getZoom(), 15.5), { animate: false });
    },
    leave() {
      this.moved = this.away = true;
    },
    home() {
      this.moved = this.away = false;
      this.fit();
      this.drawAll();
    },
    at(lon, lat) {
      return this.map.latLngToContainerPoint([lat, lon]);
    },
    context(layer) {
      const context = this.$refs.canvas[layer].getContext("2d");
      context.clearRect(0, 0, ...this.size);
      context.lineJoin = context.lineCap = "round";
      return context;
    },
    drawAll() {
      if (!this.size?.[0]) return;
      this.drawGround();
      this.drawThings();
      this.drawPulses();
    },
    // ---- ground
    drawGround() {
      drawGround(this, this.context(0), this.day?.roads ?? [...store.roads.values()]);
    },
    // ---- things
    drawThings() {
      const c = this.context(1);
      if (this.day) return;
      const by = {};
      this.signs = [];
      for (const thing of store.things.values()) {
        if (!this.hidden[thing.kind]) (by[thing.kind] ??= []).push(thing);
      }
      const near = Math.min(2, Math.max(0.8, (this.map.getZoom() - 10) / 3)) * this.u;
      for (const t of by.streetlight ?? []) drawLamp(this, c, t, near);
      for (const [kind, things] of Object.entries(by)) {
        if (!["streetlight", "waterlogging", "gas", "vehicle"].includes(kind)) {
          for (const t of things) disc(c, this.at(t.lon, t.lat), 3 * near, this.colours.state[t.state], "#05080d");
        }
      }
      for (const t of by.gas ?? []) drawGas(this, c, t, near);
      for (const t of (by.waterlogging ?? []).sort((a, b) => (a.value ?? 0) - (b.value ?? 0))) drawFlood(this, c, t, near);
      for (const t of by.vehicle ?? []) drawTail(this, c, t);
      for (const t of by.vehicle ?? []) drawVehicle(this, c, t);
      for (const [p, r, text, colour] of this.signs) sign(this, c, p, r, text, colour);
    },
    // ---- pulses
    animate() {
      clearTimeout(this.timer);
      this.drawPulses();
      const moving = !this.day && !CALM.matches && store.pulses.some(moves);
      if (moving && !document.hidden) this.timer = setTimeout(() => requestAnimationFrame(this.animate), FRAME_MS);
    },
    drawSpot(c) {
      const p = this.at(this.spot.lon, this.spot.lat);
      const colour = this.colours.severity[this.spot.severity];
      for (const [r, wide] of [[20, 3.2], [27, 1.4]]) ring(c, p, r * this.u, colour, wide * this.u);
      for (const [dx, dy] of [[0, -1], [0, 1], [-1, 0], [1, 0]]) {
        c.beginPath();
        c.moveTo(p.x + dx * 20 * this.u, p.y + dy * 20 * this.u);
        c.lineTo(p.x + dx * 34 * this.u, p.y + dy * 34 * this.u);
        c.stroke();
      }
    },
    drawPulses() {
      if (!this.size?.[0]) return;
      const c = this.context(2);
      if (this.day) return;
      if (this.spot) this.drawSpot(c);
      const storm = store.pulses.length > 60; // then only the gravest move
      const phase = (performance.now() % PULSE_MS) / PULSE_MS;
      // The gravest last, so that nothing lies over it.
      for (const pulse of [...store.pulses].reverse()) {
        const [, lon, lat, severity, acknowledged] = pulse;
        const p = this.at(lon, lat);
        if (!inside(p, this.size)) continue;
        const colour = this.colours.severity[severity];
        const grave = severity === "critical";
        c.globalAlpha = acknowledged ? 0.5 : 0.95;
        ring(c, p, (storm ? 7 : grave ? 12 : 10) * this.u, colour, (acknowledged ? 1.2 : grave ? 3.2 : 2) * this.u);
        if (!moves(pulse) || (storm && !grave)) continue;
        for (const shift of grave ? [0, 0.5] : [0]) {
          const t = (phase + shift) % 1;
          c.globalAlpha = (grave ? 0.8 : 0.5) * (1 - t);
          ring(c, p, 12 * this.u + t * (grave ? 38 : 20) * this.u, colour, (grave ? 3 : 1.8) * this.u);
        }
      }
      c.globalAlpha = 1;
      if (!this.spot && this.size[0] > 700) drawBanners(this, c, store);
    },
    // ---- hands
    toggle(kind) {
      this.hidden = { ...this.hidden, [kind]: !this.hidden[kind] };
      this.drawAll();
    },
    nearest(point) {
      let best = null;
      let least = CLICK_PX * this.u;
      if (this.day) return null;
      for (const t of store.things.values()) {
        if (this.hidden[t.kind]) continue;
        const p = this.at(t.lon, t.lat);
        const d = Math.hypot(p.x - point.x, p.y - point.y) * (t.kind === "vehicle" ? 0.6 : 1);
        if (d < least) [best, least] = [t, d];
      }
      return best;
    },
    open(point) {
      const t = this.nearest(point);
      if (t) this.$emit("open", { kind: t.kind, id: t.id, tenant: t.tenant });
    },
    hover(point) {
      const t = this.nearest(point);
      this.$refs.map.style.cursor = t ? "pointer" : "";
      this.showTip(t, point);
    },
    showTip(t, point) {
      this.tip = t?.n ?? null;
      if (!t) return;
      const unit = { streetlight: "W", waterlogging: "cm", gas: "%LEL", vehicle: "km/h" }[t.kind] ?? "";
      const tip = this.$refs.tip;
      const name = document.createElement("b");
      name.textContent = named(t.name, this.lang) || t.id;
      const state = document.createElement("span");
      state.textContent = this.words[t.state] ?? t.state;
      state.style.color = this.colours.state[t.state];
      const value = document.createElement("span");
      value.textContent = t.value === null || t.value === undefined ? "" : `${t.value} ${unit}`;
      tip.replaceChildren(name, state, value);
      tip.style.left = `${Math.min(point.x + 16, this.size[0] - 190)}px`;
      tip.style.top = `${Math.min(point.y + 12, this.size[1] - 60)}px`;
    },
  },
};

// What moves draws the eye: the critical, and the major of things that stand still. A fleet has too many of the rest.
function moves([, , , severity, acknowledged, kind]) {
  return !acknowledged && (severity === "critical" || (severity === "major" && kind !== "vehicle"));
}
