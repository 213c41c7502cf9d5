// What happened to an alert, in words.
export function happening(words, { change, level, to, hold }) {
  const key = change === "assigned" && !to ? "change_unassigned" : `change_${change}`;
  return (words[key] ?? change).replace("{level}", words[level] ?? level ?? "").replace("{to}", to ?? "")
    .replace("{hold}", words[hold] ?? hold ?? "");
}
