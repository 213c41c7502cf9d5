// The half of a name given as "中文 / English" that a reader of the language wants; other names as they are.
export function named(name, lang) {
  const [chinese, english, ...more] = (name ?? "").split(" / ");
  const han = /[\u3400-\u9fff]/;
  if (english === undefined || more.length || !han.test(chinese) || han.test(english)) return name;
  return lang === "en" ? english : chinese;
}
