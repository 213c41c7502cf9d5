// Shapes on a canvas and in the plane, for the map.

export function disc(c, p, r, colour, edge) {
  c.beginPath();
  c.arc(p.x, p.y, r, 0, 7);
  c.fillStyle = colour;
  c.fill();
  if (edge) {
    c.strokeStyle = edge;
    c.lineWidth = 1;
    c.stroke();
  }
}

export function ring(c, p, r, colour, width) {
  c.beginPath();
  c.arc(p.x, p.y, r, 0, 7);
  c.strokeStyle = colour;
  c.lineWidth = width;
  c.stroke();
}

export function inside(p, [w, h]) {
  return p.x > -40 && p.y > -40 && p.x < w + 40 && p.y < h + 40;
}

export function rings(geometry) {
  return geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry.coordinates;
}

export function outline(districts) {
  return (districts?.features ?? []).flatMap((feature) => rings(feature.geometry).flat());
}

export function bounds(points, trim) {
  if (!points.length) return null;
  const cut = (values) => {
    values.sort((a, b) => a - b);
    const k = Math.floor(values.length * trim);
    return [values[k], values[values.length - 1 - k]];
  };
  const [west, east] = cut(points.map((p) => p[0]));
  const [south, north] = cut(points.map((p) => p[1]));
  return [[south - 0.0015, west - 0.0015], [north + 0.0015, east + 0.0015]];
}

// The part of a polygon inside the view, edge by edge.
export function clip(ring, w, h) {
  const edges = [
    [(q) => q.x, 1, 0], [(q) => q.x, -1, -w], [(q) => q.y, 1, 0], [(q) => q.y, -1, -h],
  ].map(([of, sign, limit]) => (q) => sign * of(q) - limit);
  let kept = ring;
  for (const depth of edges) {
    const from = kept;
    kept = [];
    from.forEach((b, i) => {
      const a = from[(i + from.length - 1) % from.length];
      const [da, db] = [depth(a), depth(b)];
      if (da < 0 !== db < 0) {
        const t = da / (da - db);
        kept.push({ x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t });
      }
      if (db >= 0) kept.push(b);
    });
  }
  return kept;
}

export function within(ring, x, y) {
  let odd = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [a, b] = [ring[i], ring[j]];
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) odd = !odd;
  }
  return odd;
}
