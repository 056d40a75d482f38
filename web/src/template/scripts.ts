// Where the elements' script comes from.

const kScriptTag = /<script\b(?:[^>"']|"[^"]*"|'[^']*')*>/gi;
const kSource = /(\ssrc\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i;
const kChecks = /\s(?:integrity|crossorigin)(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+))?/gi;

/** The address of AWS's elements, from whatever host, becomes the server's own; all other HTML stays as it is. */
export function pointToOwnElements(html: string): string {
  return html.replace(kScriptTag, (tag) => {
    const found = kSource.exec(tag);
    const address = found?.[2] ?? found?.[3] ?? found?.[4];
    if (address === undefined || !/(?:^|\/)crowd-html-elements\.js(?:[?#].*)?$/.test(address.trim())) return tag;
    return tag.replace(kChecks, "").replace(kSource, '$1"/_/crowd-html-elements.js"');
  });
}
