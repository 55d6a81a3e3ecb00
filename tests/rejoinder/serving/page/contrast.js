// The contrast (WCAG 2) of each pair of colours in which the page writes.
(() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue(`--${name}`).trim().slice(1);
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const pairs = [["ink", "ground"], ["muted", "ground"], ["muted", "surface"], ["accent", "ground"], ["on-accent", "accent"], ["wrong", "wrong-tint"]];
  return Object.fromEntries(pairs.map(([front, back]) => {
    const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
    return [`${front} on ${back}`, (high + 0.05) / (low + 0.05)];
  }));
})()
