"""Words of a page that are broken inside, clipped, or that lie over the edge of their table cell or box."""

from __future__ import annotations

from tests.browser.chromium import Browser

# A longer word may be broken anywhere: 64 characters fit no column.
MAX_CHARS = 24


def torn_words(browser: Browser) -> list[str]:
    """
    Return the words in the main part of the open page that are not shown whole.

    The same of boxes whose content is wider than they are, and lies over what is next to them.

    Lines may break at spaces, hyphens and `<wbr>`, and what can be scrolled into view is not clipped. The
    content of an element that ends with an ellipsis is not checked if a `title` has all of it.
    """
    found: list[str] = browser.run(_SCRIPT, MAX_CHARS)
    return found


_SCRIPT = r"""
const longest = arguments[0], found = new Set(), range = document.createRange();
const styles = (element, matches) => {
  for (let one = element; one && one.tagName !== 'MAIN'; one = one.parentElement)
    if (matches(getComputedStyle(one), one)) return one;
  return null;
};
const unseen = (style) => style.clipPath.startsWith('inset(50%');
const scrolls = (style, one) => /auto|scroll/.test(style.overflowX) && one.scrollWidth > one.clientWidth;
const clips = (style, one) => /hidden|clip/.test(style.overflowX) && !one.closest('[title]');
const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) {
  const box = node.parentElement;
  if (!box.checkVisibility({ visibilityProperty: true }) || styles(box, unseen)) continue;
  if (box.closest('pre, .secret, svg, option, template, [title].cut')) continue;
  for (const { 0: word, index } of node.data.matchAll(/[\p{L}\p{N}_.:@]+/gu)) {
    if (word.length < 2 || word.length > longest) continue;
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const boxes = [...range.getClientRects()].filter((one) => one.width > 0);
    if (!boxes.length) continue;
    const right = Math.max(...boxes.map((one) => one.right)) - 1;
    const cell = box.closest('td, th'), clip = styles(box, clips);
    if (new Set(boxes.map((one) => Math.round(one.top))).size > 1) found.add(`${word} is broken`);
    else if (cell && right > cell.getBoundingClientRect().right && !styles(box, scrolls))
      found.add(`${word} is wider than its cell`);
    else if (clip && right > clip.getBoundingClientRect().right) found.add(`${word} is clipped`);
  }
}
// the sign of the order in a header lies in the gap between columns; its words are checked above
const boxes = 'td, th:not(:has(.sort)), dd, dt, li, p, h1, h2, h3, label, button, .card, .state, .notice';
for (const box of document.querySelectorAll(`main :is(${boxes})`)) {
  if (!box.checkVisibility({ visibilityProperty: true })) continue;
  if (styles(box, unseen) || styles(box, scrolls)) continue;
  const isOpen = box.clientWidth && getComputedStyle(box).overflowX === 'visible';
  if (isOpen && box.scrollWidth > box.clientWidth + 1)
    found.add(`the content of ${box.tagName} is wider than it: ${box.innerText.slice(0, 40)}`);
}
return [...found];
"""
