// What a page does by itself: it remembers the language, keeps the section when the language is switched,
// and lets the keyboard reach what scrolls sideways.
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
  const scrolling = () => document.querySelectorAll("main pre, main :has(> img), main .cell-output-display, .table-frame").forEach(box => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
  addEventListener("resize", scrolling);
  addEventListener("load", scrolling);
})();
