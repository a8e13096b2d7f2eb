// What an element says, and in which language. The same catalogues as the pages'.

export const LOCALES = ['en', 'zh-Hant', 'zh-Hans'];

const kept = new Map();

// C0 and C1 controls, line separators, and whatever turns the direction of text.
const HARMFUL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g;

/** Make outside text harmless: one line, no direction tricks, bounded. */
export const clean = (text, limit = 120) => {
  const plain = String(text ?? '').replace(HARMFUL, ' ').trim();
  return plain.length <= limit ? plain : `${plain.slice(0, limit)}…`;
};

/** Outside text inside a sentence of ours: cleaned, and isolated as <bdi> would. */
export const isolated = (text) => `\u2068${clean(text)}\u2069`;

/** Read the catalogue of a language, once. */
export const load = async (locale) => {
  const wanted = LOCALES.includes(locale) ? locale : 'en';
  if (!kept.has(wanted)) {
    kept.set(
      wanted,
      fetch(new URL(`./words/${wanted}.json`, import.meta.url)).then((answer) => {
        if (!answer.ok) throw new Error(`no catalogue for ${wanted}`);
        return answer.json();
      }),
    );
    kept.get(wanted).catch(() => kept.delete(wanted)); // another try is another chance
  }
  return new Words(wanted, await kept.get(wanted));
};

/** One catalogue. */
export class Words {
  constructor(locale, texts) {
    this.locale = locale;
    this.texts = texts;
  }

  /** Give a text with its facts filled in; an unknown key shows itself. */
  say(key, facts = {}) {
    let text = this.texts[key] ?? key;
    if (typeof text !== 'string') text = facts.n === 1 ? text.one : text.other;
    return text.replace(/\{(\w+)\}/g, (whole, name) => facts[name] ?? whole);
  }

  /** Give the word for a code; the code itself if there is none. */
  name(family, code) {
    return this.texts[`${family}.${code}`] ?? clean(code);
  }
}
