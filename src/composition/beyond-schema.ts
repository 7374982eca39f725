/**
 * What may be wrong with a configuration that its schema cannot see: rooms read some of their settings by themselves.
 */
import { type Config, loadTexts } from '../config.ts';
import { nearestName } from '../settings-form.ts';
import { readDialect } from '../smpp/gateway-profile.ts';
import { faultsOfTexts } from '../ussd/phrases.ts';

/** Every such problem, each with its setting: dialects of gateways, and texts for phones. */
export function problemsBeyondSchema(config: Config): readonly string[] {
  const dialects = Object.entries(config.smpp.accounts).flatMap(([name, account]) => {
    const dialect = readDialect(account.dialect);
    return dialect.ok ? [] : dialect.refusal.problems.map((each) => `smpp.accounts.${name}.dialect.${each}`);
  });
  const texts = loadTexts(new URL('../../config/texts/', import.meta.url));
  const language = config.texts.defaultLanguage;
  const near = nearestName(language, Object.keys(texts));
  const noTexts = `texts.defaultLanguage: expected one of ${Object.keys(texts).join(', ')}${near === null ? '' : `; did you mean ${near}?`}`;
  return [...dialects, ...faultsOfTexts(texts), ...(texts[language] === undefined ? [noTexts] : [])];
}
