// What lies under the things: districts, zones, planned roads, the way of a vehicle. `m` is the map, as in marks.js.
import { clip, disc, drawGrain, drawScale, note, rings, within } from "citywarden-console";

const ORDER = ["ahead", "covered", "not_judged", "open", "missed"]; // what matters most is drawn last

export function drawGround(m, c, roads) {
  drawGrain(m, c, m.at(113, 23), m.map.getZoom());
  for (const feature of m.districts?.features ?? []) {
    c.beginPath();
    for (const ring of rings(feature.geometry)) trace(m, c, ring);
    c.fillStyle = "rgba(40, 62, 92, 0.20)";
    c.fill("evenodd");
    c.strokeStyle = "rgba(120, 160, 205, 0.42)";
    c.lineWidth = 1.2 * m.u;
    c.stroke();
  }
  drawZones(m, c);
  if (!m.hidden.road) drawRoads(m, c, roads);
  drawNames(m, c);
  const middle = m.map.getCenter();
  const perPx = (40075016.7 * Math.cos((middle.lat * Math.PI) / 180)) / (256 * 2 ** m.map.getZoom());
  drawScale(m, c, perPx, m.$refs.legend?.offsetHeight ?? 0);
  if (m.day && !m.hidden.track) drawTrack(m, c);
  if (m.spot?.trail?.length) drawTrail(m, c);
}

// The way of the vehicle an alert is about, up to the alert and a little after.
function drawTrail(m, c) {
  for (const [colour, wide] of [["#05080d", 6], [m.colours.state.driving, 3]]) {
    c.beginPath();
    trace(m, c, m.spot.trail);
    c.strokeStyle = colour;
    c.lineWidth = wide * m.u;
    c.stroke();
  }
}

function drawZones(m, c) {
  for (const zone of m.zones ?? []) {
    c.beginPath();
    for (const ring of zone.rings) trace(m, c, ring);
    c.fillStyle = "rgba(140, 160, 190, 0.13)";
    c.fill("evenodd");
    c.strokeStyle = "rgba(160, 180, 210, 0.45)";
    c.lineWidth = m.u;
    c.setLineDash([4, 4]);
    c.stroke();
    c.setLineDash([]);
  }
}

function drawRoads(m, c, roads) {
  const wide = (m.day ? 9 : 4) * m.u;
  const runs = roads.flatMap((road) => road[3]);
  runs.sort((a, b) => ORDER.indexOf(a[0]) - ORDER.indexOf(b[0]));
  for (const pass of [0, 1]) {
    for (const [state, , , , line] of runs) {
      c.beginPath();
      trace(m, c, line);
      c.globalAlpha = pass ? (m.day ? 0.8 : 0.9) : 0.8;
      c.strokeStyle = pass ? m.colours.road[state] : "#05080d";
      c.lineWidth = pass ? (state === "ahead" ? wide * 0.6 : wide) : wide + 2.5 * m.u;
      c.stroke();
    }
  }
  c.globalAlpha = 1;
  for (const [, reason, from, to, line] of m.day ? runs.filter((run) => run[0] === "missed") : []) {
    const p = m.at(...line[Math.floor(line.length / 2)]);
    note(m, c, { x: p.x, y: p.y - 16 * m.u }, 0, `${m.words[reason] ?? reason} ${to - from} m`, m.colours.road.missed);
  }
}

function drawTrack(m, c) {
  for (const [state, line] of m.day.track) {
    c.beginPath();
    trace(m, c, line);
    c.strokeStyle = m.colours.state[state] ?? m.colours.state.unknown;
    c.lineWidth = 2.4 * m.u;
    if (state === "unknown") c.setLineDash([3, 6]);
    c.stroke();
    c.setLineDash([]);
  }
  for (const [lon, lat, , state] of m.day.stops ?? []) {
    const p = m.at(lon, lat);
    disc(c, p, 4 * m.u, m.colours.state[state], "#05080d");
  }
}

function drawNames(m, c) {
  c.font = `700 ${20 * m.u}px "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif`;
  c.textAlign = "center";
  c.textBaseline = "middle";
  for (const feature of m.districts?.features ?? []) {
    const name = m.lang === "en" ? feature.properties?.name_en : feature.properties?.name_zh;
    const p = name && namePlace(m, feature.geometry);
    if (!p) continue;
    c.lineWidth = 5 * m.u;
    c.strokeStyle = "rgba(5, 8, 13, 0.85)";
    c.strokeText(name, p.x, p.y);
    c.fillStyle = "rgba(190, 211, 238, 0.9)";
    c.fillText(name, p.x, p.y);
  }
  c.textBaseline = "alphabetic";
}

// Where a district's name can be read: at the middle of what is in view of it, above the planned roads there.
function namePlace(m, geometry) {
  const [w, h] = m.size;
  const ring = rings(geometry).reduce((a, b) => (b.length > a.length ? b : a), []).map((q) => m.at(...q));
  const seen = clip(ring, w, h);
  if (seen.length < 3) return null;
  const xs = seen.map((q) => q.x);
  const ys = seen.map((q) => q.y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (right - left < 90 * m.u || bottom - top < 60 * m.u) return null;
  const middle = (left + right) / 2;
  for (const y of [top + 26 * m.u, (top + bottom) / 2]) {
    for (const x of [middle, (left + middle) / 2, (right + middle) / 2]) if (within(seen, x, y)) return { x, y };
  }
  return null;
}

function trace(m, c, line) {
  line.forEach(([lon, lat], i) => {
    const p = m.at(lon, lat);
    if (i) c.lineTo(p.x, p.y);
    else c.moveTo(p.x, p.y);
  });
}
