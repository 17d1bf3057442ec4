// What a page does by itself: it remembers the language, keeps the section when the language is switched,
// keeps printed tables in columns, and lets the keyboard reach what scrolls sideways.
(() => {
  "use strict";
  const here = () => {
    const passed = [...document.querySelectorAll("main section[id], main h2[id], main h3[id]")]
      .filter(part => part.getBoundingClientRect().top < 160);
    return passed.length ? "#" + passed.pop().id : location.hash;
  };
  document.querySelectorAll("a.switch").forEach(link => link.addEventListener("click", () => {
    try { localStorage.setItem("tsformer-language", link.hreflang); } catch (error) { /* private window */ }
    link.hash = window.scrollY > 200 ? here() : "";
  }));
  document.querySelectorAll("main .cell-output pre").forEach(box => {
    const columns = box.textContent.split("\n").filter(line => / {2,}\S/.test(line.trim()));
    if (columns.length > 1) box.classList.add("columns");  // on a phone it scrolls; anything else wraps
  });
  const scrolling = () => document.querySelectorAll("main pre, main :has(> img), main .cell-output-display, .table-frame").forEach(box => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
  addEventListener("resize", scrolling);
  addEventListener("load", scrolling);
})();
