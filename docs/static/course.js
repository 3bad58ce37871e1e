// The edge of each before/after follows its range, by mouse, touch and keyboard.
document.addEventListener("input", (event) => {
  const box = event.target.closest(".before-after");
  if (!box) return;
  const before = 100 - event.target.value;
  box.querySelector(".over").style.setProperty("--edge", `${before}%`);
  event.target.setAttribute("aria-valuetext", `${before} % before`);
});
