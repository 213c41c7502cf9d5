// How the things on the map look. `m` is the map: `at` gives a place on it, `u` its unit, `size`, `colours`; `signs`
// takes the values that are to be read, which are written when all else is drawn.
import { disc, inside, ring } from "citywarden-console";

const FLOOD = { dry: 0, watch: 1, yellow: 2, orange: 3, red: 4 };

export function drawLamp(m, c, t, near) {
  const p = m.at(t.lon, t.lat);
  if (!inside(p, m.size)) return;
  const colour = m.colours.state[t.state];
  if (t.state === "lit") {
    c.globalAlpha = 0.2;
    disc(c, p, 4.6 * near, colour);
    c.globalAlpha = 1;
    disc(c, p, 1.9 * near, colour);
  } else if (t.state === "no_data") ring(c, p, 2.6 * near, colour, m.u);
  else if (t.state === "off") {
    disc(c, p, 2.1 * near, "#05080d");
    ring(c, p, 2.1 * near, colour, 1.1 * m.u);
  } else {
    disc(c, p, 3.9 * near, "#05080d");
    ring(c, p, 3.9 * near, colour, 1.7 * m.u);
    disc(c, p, 1.9 * near, colour);
  }
}

export function drawGas(m, c, t, near) {
  const p = m.at(t.lon, t.lat);
  if (!inside(p, m.size)) return;
  const r = (t.state === "high" ? 9 : t.state === "low" ? 7.5 : 4.2) * near;
  c.beginPath();
  c.moveTo(p.x, p.y - r);
  c.lineTo(p.x + r * 0.9, p.y + r * 0.7);
  c.lineTo(p.x - r * 0.9, p.y + r * 0.7);
  c.closePath();
  const colour = m.colours.state[t.state];
  c.lineWidth = 1.3 * m.u;
  c.strokeStyle = t.state === "no_data" ? colour : "#05080d";
  if (t.state !== "no_data") {
    c.fillStyle = colour;
    c.fill();
  }
  c.stroke();
  if (t.state === "low" || t.state === "high") m.signs.push([p, r, `${t.value} %LEL`, colour]);
}

export function drawFlood(m, c, t, near) {
  const p = m.at(t.lon, t.lat);
  if (!inside(p, m.size)) return;
  const colour = m.colours.state[t.state];
  const band = FLOOD[t.state] ?? -1;
  if (band <= 0) {
    ring(c, p, 3.6 * near, colour, 1.6 * m.u);
    return;
  }
  const r = (5 + Math.min(45, t.value ?? 0) * 0.24) * near;
  c.globalAlpha = 0.28;
  disc(c, p, r, colour);
  c.globalAlpha = 1;
  ring(c, p, r, colour, 1.8 * m.u);
  if (band >= 2) m.signs.push([p, r, `${t.value} cm`, colour]);
}

export function drawTail(m, c, t) {
  if (t.state === "offline") return;
  const points = t.tail.map(([lon, lat]) => m.at(lon, lat));
  c.strokeStyle = m.colours.state[t.state];
  c.lineWidth = 2.2 * m.u;
  for (let i = 1; i < points.length; i++) {
    c.globalAlpha = (0.7 * i) / points.length;
    c.beginPath();
    c.moveTo(points[i - 1].x, points[i - 1].y);
    c.lineTo(points[i].x, points[i].y);
    c.stroke();
  }
  c.globalAlpha = 1;
}

export function drawVehicle(m, c, t) {
  const p = m.at(t.lon, t.lat);
  if (!inside(p, m.size)) return;
  const s = 8.5 * m.u;
  c.save();
  c.translate(p.x, p.y);
  c.rotate(((t.heading ?? 0) * Math.PI) / 180);
  c.beginPath();
  c.moveTo(0, -s);
  c.lineTo(s * 0.72, s * 0.8);
  c.lineTo(0, s * 0.42);
  c.lineTo(-s * 0.72, s * 0.8);
  c.closePath();
  c.fillStyle = m.colours.state[t.state];
  c.strokeStyle = "#05080d";
  c.lineWidth = 1.8 * m.u;
  c.stroke();
  c.fill();
  c.restore();
}

export function note(m, c, p, r, text, colour) {
  c.font = `700 ${12.5 * m.u}px "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif`;
  const aside = r + 4 * m.u;
  const x = Math.min(p.x + aside, m.size[0] - c.measureText(text).width - 6 * m.u);
  const y = p.y + 4 * m.u;
  c.textAlign = "left";
  c.lineWidth = 3.5 * m.u;
  c.strokeStyle = "rgba(5, 8, 13, 0.9)";
  c.strokeText(text, x, y);
  c.fillStyle = colour;
  c.fillText(text, x, y);
}
