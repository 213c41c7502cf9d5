// The city on one map: districts, planned roads, every device, open alerts. Leaflet gives the projection and the
// gestures; everything is drawn on three canvases (ground, things, pulses), so thousands of devices cost one redraw.
import { leaflet as L } from "nicegui-leaflet";
import {
  bounds, clip, disc, drawBanners, drawFlood, drawGas, drawGrain, drawLamp, drawScale, drawTail, drawVehicle, inside, listen,
  named, note, outline, ring, rings, sign, store, within,
} from "citywarden-console";

const CLICK_PX = 16;
const PULSE_MS = 2200;
const FRAME_MS = 80;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const ORDER = ["ahead", "covered", "not_judged", "open", "missed"]; // what matters most is drawn last

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
      const c = this.context(0);
      drawGrain(this, c, this.at(113, 23), this.map.getZoom());
      for (const feature of this.districts?.features ?? []) {
        c.beginPath();
        for (const ring of rings(feature.geometry)) this.trace(c, ring);
        c.fillStyle = "rgba(40, 62, 92, 0.20)";
        c.fill("evenodd");
        c.strokeStyle = "rgba(120, 160, 205, 0.42)";
        c.lineWidth = 1.2 * this.u;
        c.stroke();
      }
      this.drawZones(c);
      if (!this.hidden.road) this.drawRoads(c, [...(this.day?.roads ?? store.roads.values())]);
      this.drawNames(c);
      const middle = this.map.getCenter();
      const perPx = (40075016.7 * Math.cos((middle.lat * Math.PI) / 180)) / (256 * 2 ** this.map.getZoom());
      drawScale(this, c, perPx, this.$refs.legend?.offsetHeight ?? 0);
      if (this.day && !this.hidden.track) this.drawTrack(c);
      if (this.spot?.trail?.length) this.drawTrail(c);
    },
    // The way of the vehicle an alert is about, up to the alert and a little after.
    drawTrail(c) {
      for (const [colour, wide] of [["#05080d", 6], [this.colours.state.driving, 3]]) {
        c.beginPath();
        this.trace(c, this.spot.trail);
        c.strokeStyle = colour;
        c.lineWidth = wide * this.u;
        c.stroke();
      }
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
    drawZones(c) {
      for (const zone of this.zones ?? []) {
        c.beginPath();
        for (const ring of zone.rings) this.trace(c, ring);
        c.fillStyle = "rgba(140, 160, 190, 0.13)";
        c.fill("evenodd");
        c.strokeStyle = "rgba(160, 180, 210, 0.45)";
        c.lineWidth = this.u;
        c.setLineDash([4, 4]);
        c.stroke();
        c.setLineDash([]);
      }
    },
    drawRoads(c, roads) {
      const wide = (this.day ? 9 : 4) * this.u;
      const runs = roads.flatMap((road) => road[3]);
      runs.sort((a, b) => ORDER.indexOf(a[0]) - ORDER.indexOf(b[0]));
      for (const pass of [0, 1]) {
        for (const [state, , , , line] of runs) {
          c.beginPath();
          this.trace(c, line);
          c.globalAlpha = pass ? (this.day ? 0.8 : 0.9) : 0.8;
          c.strokeStyle = pass ? this.colours.road[state] : "#05080d";
          c.lineWidth = pass ? (state === "ahead" ? wide * 0.6 : wide) : wide + 2.5 * this.u;
          c.stroke();
        }
      }
      c.globalAlpha = 1;
      for (const [, reason, from, to, line] of this.day ? runs.filter((run) => run[0] === "missed") : []) {
        const p = this.at(...line[Math.floor(line.length / 2)]);
        note(this, c, { x: p.x, y: p.y - 16 * this.u }, 0, `${this.words[reason] ?? reason} ${to - from} m`, this.colours.road.missed);
      }
    },
    drawTrack(c) {
      for (const [state, line] of this.day.track) {
        c.beginPath();
        this.trace(c, line);
        c.strokeStyle = this.colours.state[state] ?? this.colours.state.unknown;
        c.lineWidth = 2.4 * this.u;
        if (state === "unknown") c.setLineDash([3, 6]);
        c.stroke();
        c.setLineDash([]);
      }
      for (const [lon, lat, , state] of this.day.stops ?? []) {
        const p = this.at(lon, lat);
        disc(c, p, 4 * this.u, this.colours.state[state], "#05080d");
      }
    },
    drawNames(c) {
      c.font = `700 ${20 * this.u}px "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif`;
      c.textAlign = "center";
      c.textBaseline = "middle";
      for (const feature of this.districts?.features ?? []) {
        const name = this.lang === "en" ? feature.properties?.name_en : feature.properties?.name_zh;
        const p = name && this.namePlace(feature.geometry);
        if (!p) continue;
        c.lineWidth = 5 * this.u;
        c.strokeStyle = "rgba(5, 8, 13, 0.85)";
        c.strokeText(name, p.x, p.y);
        c.fillStyle = "rgba(190, 211, 238, 0.9)";
        c.fillText(name, p.x, p.y);
      }
      c.textBaseline = "alphabetic";
    },
    // Where a district's name can be read: at the middle of what is in view of it, above the planned roads there.
    namePlace(geometry) {
      const [w, h] = this.size;
      const ring = rings(geometry).reduce((a, b) => (b.length > a.length ? b : a), []).map((q) => this.at(...q));
      const seen = clip(ring, w, h);
      if (seen.length < 3) return null;
      const xs = seen.map((q) => q.x);
      const ys = seen.map((q) => q.y);
      const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      if (right - left < 90 * this.u || bottom - top < 60 * this.u) return null;
      const middle = (left + right) / 2;
      for (const y of [top + 26 * this.u, (top + bottom) / 2]) {
        for (const x of [middle, (left + middle) / 2, (right + middle) / 2]) if (within(seen, x, y)) return { x, y };
      }
      return null;
    },
    trace(c, line) {
      line.forEach(([lon, lat], i) => {
        const p = this.at(lon, lat);
        if (i) c.lineTo(p.x, p.y);
        else c.moveTo(p.x, p.y);
      });
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
