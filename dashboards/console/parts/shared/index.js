// What the page knows of the city: frames come in, parts of the page listen. Shared by all parts.

export * from "./shapes.js";
export * from "./signs.js";
export * from "./bell.js";
export * from "./cases.js";
export * from "./deeds.js";
export * from "./ground.js";
export * from "./happening.js";
export * from "./life.js";
export * from "./marks.js";
export * from "./names.js";
export * from "./validity.js";

export const store = {
  things: new Map(), // number -> {n, kind, tenant, id, name, state, value, lon, lat, heading, tail}
  roads: new Map(), // task -> [task, name, vehicle, [[state, reason, from_m, to_m, line], ...]]
  pulses: [],
  alerts: { list: [], more: 0, counts: {}, total: 0 },
  tiles: [],
  health: { ok: true, wrong: {} },
  skew: 0,
  ready: false,
};

const TAIL = 40;
const listeners = new Set();

export function listen(listener) {
  listeners.add(listener);
  if (store.ready) listener({ full: true, map: true, roads: true, alerts: true, tiles: true, health: true });
  return () => listeners.delete(listener);
}

export function now() {
  return Date.now() + store.skew;
}

export function take(frame) {
  if (frame.full) {
    store.things.clear();
    store.roads.clear();
    store.skew = frame.now_ms - Date.now();
    store.ready = true;
  }
  for (const [n, kind, tenant, id, name] of frame.who ?? []) {
    store.things.set(n, { n, kind, tenant, id, name, tail: [] });
  }
  for (const [n, state, value, lon, lat, heading] of frame.now ?? []) {
    const thing = store.things.get(n);
    if (!thing) continue;
    if (thing.kind === "vehicle" && (thing.lon !== lon || thing.lat !== lat)) {
      thing.tail.push([lon, lat]);
      if (thing.tail.length > TAIL) thing.tail.shift();
    }
    Object.assign(thing, { state, value, lon, lat });
    if (heading !== null) thing.heading = heading;
  }
  for (const [n, tail] of frame.tails ?? []) {
    if (store.things.has(n)) store.things.get(n).tail = tail.map((point) => [...point]);
  }
  for (const n of frame.gone ?? []) store.things.delete(n);
  for (const road of frame.roads ?? []) store.roads.set(road[0], road);
  for (const task of frame.roads_gone ?? []) store.roads.delete(task);
  if (frame.pulses) store.pulses = frame.pulses;
  if (frame.alerts) store.alerts = frame.alerts;
  if (frame.tiles) store.tiles = frame.tiles;
  if (frame.health) store.health = frame.health;
  const changed = {
    full: !!frame.full,
    map: !!(frame.full || frame.now || frame.gone),
    roads: !!(frame.full || frame.roads || frame.roads_gone),
    pulses: !!frame.pulses,
    alerts: !!frame.alerts,
    tiles: !!frame.tiles,
    health: !!frame.health,
  };
  for (const listener of listeners) listener(changed);
}

export function ago(then, words, at = now()) {
  const s = Math.max(0, Math.round((at - then) / 1000));
  if (s < 5) return words.just_now;
  if (s < 60) return words.seconds_ago.replace("{n}", s);
  if (s < 3600) return words.minutes_ago.replace("{n}", Math.floor(s / 60));
  if (s < 172800) return words.hours_ago.replace("{n}", Math.floor(s / 3600));
  return words.days_ago.replace("{n}", Math.floor(s / 86400));
}

export function remembered(key) {
  try {
    return localStorage.getItem(`citywarden.${key}`) ?? "";
  } catch {
    return "";
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`citywarden.${key}`, value);
  } catch {
    // A browser that keeps nothing still works.
  }
}
