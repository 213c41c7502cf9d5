// What is written upon the map: values, names, its scale and its ground. `m` is the map, as in marks.js.
import { inside, named } from "citywarden-console";

const BANNERS = 4; // of the gravest; more would hide the city
const FACE = '"Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';

// A value beside its place on a plate of its own, to be read across a room.
export function sign(m, c, p, r, text, colour) {
  c.font = `700 ${18 * m.u}px ${FACE}`;
  const [wide, high, aside] = [c.measureText(text).width + 14 * m.u, 25 * m.u, Math.max(r, 14 * m.u) + 6 * m.u];
  const x = p.x + aside + wide > m.size[0] - 4 ? p.x - aside - wide : p.x + aside;
  plate(m, c, x, p.y - high / 2, wide, high, colour);
  c.textAlign = "left";
  c.fillStyle = colour;
  c.fillText(text, x + 7 * m.u, p.y + 6.3 * m.u);
}

// What is gravest, by name, above its place.
function banner(m, c, p, text, colour) {
  c.font = `700 ${17 * m.u}px ${FACE}`;
  const [wide, high] = [c.measureText(text).width + 18 * m.u, 27 * m.u];
  const x = Math.min(Math.max(4, p.x - wide / 2), m.size[0] - wide - 4);
  const y = p.y - 26 * m.u - high < 4 ? p.y + 26 * m.u : p.y - 26 * m.u - high;
  c.fillStyle = colour;
  c.beginPath();
  c.roundRect(x, y, wide, high, 5 * m.u);
  c.fill();
  c.textAlign = "left";
  c.fillStyle = "#17060a";
  c.fillText(text, x + 9 * m.u, y + high / 2 + 6 * m.u);
}

function plate(m, c, x, y, wide, high, colour) {
  c.beginPath();
  c.roundRect(x, y, wide, high, 5 * m.u);
  c.fillStyle = "rgba(7, 11, 18, 0.88)";
  c.fill();
  c.strokeStyle = colour;
  c.lineWidth = 1.4 * m.u;
  c.stroke();
}

// How long a round number of metres is on the map.
export function drawScale(m, c, metresPerPx, bottom) {
  const most = 160 * m.u * metresPerPx;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = [5, 2, 1].map((n) => n * power).find((n) => n <= most);
  const wide = metres / metresPerPx;
  const [x, y] = [m.size[0] - wide - 18 * m.u, m.size[1] - bottom - 14 * m.u];
  c.strokeStyle = c.fillStyle = "rgba(160, 180, 205, 0.8)";
  c.lineWidth = 1.6 * m.u;
  c.beginPath();
  c.moveTo(x, y - 6 * m.u);
  c.lineTo(x, y);
  c.lineTo(x + wide, y);
  c.lineTo(x + wide, y - 6 * m.u);
  c.stroke();
  c.font = `500 ${14 * m.u}px ${FACE}`;
  c.textAlign = "center";
  c.fillText(metres >= 1000 ? `${metres / 1000} km` : `${metres} m`, x + wide / 2, y - 5 * m.u);
}

// Faint dots, so that the ground is seen to move and to be near or far.
export function drawGrain(m, c, origin, zoom) {
  const step = 36 * m.u * 2 ** (zoom - Math.floor(zoom));
  c.fillStyle = "rgba(120, 160, 205, 0.13)";
  for (let x = origin.x % step; x < m.size[0]; x += step) {
    for (let y = origin.y % step; y < m.size[1]; y += step) c.fillRect(x, y, 1.5 * m.u, 1.5 * m.u);
  }
}

// The critical alerts that nobody has taken on, by name, as far as they do not lie upon each other.
export function drawBanners(m, c, { pulses, alerts }) {
  const put = [];
  for (const [id, lon, lat, severity, acknowledged] of pulses) {
    if (put.length === BANNERS || severity !== "critical" || acknowledged) continue;
    const p = m.at(lon, lat);
    const alert = alerts.list.find((a) => a.id === id);
    const near = put.some((q) => Math.abs(q.x - p.x) < 240 * m.u && Math.abs(q.y - p.y) < 80 * m.u);
    if (!alert || near || !inside(p, m.size)) continue;
    put.push(p);
    banner(m, c, p, alert.place.split(" · ").map((half) => named(half, m.lang)).join(" · "), m.colours.severity.critical);
  }
}
