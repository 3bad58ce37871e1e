// The edge of each before/after follows its range, by mouse, touch and keyboard.
document.addEventListener("input", (event) => {
  const box = event.target.closest(".before-after");
  if (!box) return;
  const before = 100 - event.target.value;
  box.querySelector(".over").style.setProperty("--edge", `${before}%`);
  event.target.setAttribute("aria-valuetext", `${before} % before`);
});

// The theme leaves the folds of its contents without a name.
document.addEventListener("DOMContentLoaded", () => {
  for (const fold of document.querySelectorAll(".bd-sidenav summary")) {
    fold.setAttribute("aria-label", `${fold.closest("li").querySelector("a").textContent.trim()}, its pages`);
  }
});
