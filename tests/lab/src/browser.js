"use strict";
const look = (frame) => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const all = [...page.body.querySelectorAll("*")];
  const unique = (list) => [...new Set(list)].sort();
  const name = (element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`;

  const numbers = (color) => {
    const found = color.match(/[\d.]+/g).map(Number);
    return { rgb: found.slice(0, 3), alpha: found.length > 3 ? found[3] : 1 };
  };
  const luminance = (rgb) => {
    const linear = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const background = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = numbers(view.getComputedStyle(one).backgroundColor);
      if (color.alpha === 1) return color.rgb;
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const pair = [numbers(view.getComputedStyle(element).color).rgb, background(element)].map(luminance);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  const speaks = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const shown = all.filter((element) => element.getClientRects().length > 0);
  const spoken = shown.filter(speaks).map((element) => ({ element, value: contrast(element) }));
  const palest = spoken.reduce((one, other) => (other.value < one.value ? other : one));

  const width = page.documentElement.clientWidth;
  // The head of a table is hidden from eyes on a narrow screen, and so may be anywhere.
  const out = shown.filter((element) => !element.closest("thead")).filter((element) => {
    const box = element.getBoundingClientRect();
    return box.right > width + 0.5 || box.left < -0.5 || element.scrollWidth > element.clientWidth + 1
      && view.getComputedStyle(element).display !== "inline";
  });
  const row = (tr) => [...tr.cells].map((cell) => cell.innerText.trim());

  return {
    text: page.body.innerText,
    tables: [...page.querySelectorAll("table")].map((table) => [...table.rows].map(row)),
    elements: unique(all.map((element) => element.localName)),
    attributes: unique(all.flatMap((element) => element.getAttributeNames())),
    ran: view.ran !== undefined || window.ran !== undefined,
    widths: [width, page.documentElement.scrollWidth],
    out: out.map(name),
    contrast: palest.value,
    pale: name(palest.element),
    loaded: view.performance.getEntriesByType("resource").map((entry) => entry.name),
  };
};
window.onload = () => {
  const seen = document.createElement("pre");
  seen.id = "seen";
  seen.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(look));
  document.body.append(seen);
};
