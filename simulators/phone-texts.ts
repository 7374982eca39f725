/**
 * Recognizes the texts of `config/texts/` when they come back filled in.
 */

/** Texts by language and key, as config/texts holds them. */
export type PhoneTexts = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Letters that GSM-7 lacks come back as others: any single or double letter may stand for one of them. */
const REPLACED = /[^\u0020-\u007e\n£¥èéùìòÇØøÅåÆæßÉÄÖÑÜ§äöñüà¡¿¤]/g;

/** A test for one text: placeholders match anything, replaced letters match what stands for them. */
export function recognizer(texts: PhoneTexts, language: string, key: string): (text: string) => boolean {
  const template = texts[language]?.[key]?.trimEnd();
  if (template === undefined) throw new Error(`there is no text ${key} in ${language}`);
  // A screen used as SMS goes out without its option lines.
  const withoutOptions = template.replaceAll(/\n\d+ [^\n]*/g, '');
  const expressions = [template, withoutOptions].map(expressionOf);
  const matches = (text: string): boolean => expressions.some((expression) => expression.test(text));
  // A wrong key puts a line in front.
  return (text) => matches(text) || matches(text.slice(text.indexOf('\n') + 1));
}

function expressionOf(template: string): RegExp {
  const parts = template.split(/\{\w+\}/).map((part) => {
    const escaped = part.replaceAll(/[.*+?^$(){}|[\]\\]/g, String.raw`\$&`);
    return escaped.replaceAll(REPLACED, '.{1,3}');
  });
  return new RegExp(`^${parts.join(String.raw`[^\n]+?`)}$`);
}
