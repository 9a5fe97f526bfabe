// What follows the documented dashboard in one file: it is shown, its button is pressed
// once it is connected, and the test is told what stands on the page.
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const place = document.getElementById('dashboard');
let pressed = false;
new MutationObserver(() => {
    fetch('/told', { method: 'POST', body: JSON.stringify({ shown: place.textContent }) });
    if (!pressed && place.textContent.includes('연결 상태: 연결됨')) {
        pressed = true;
        place.querySelector('button').click();
    }
}).observe(place, { childList: true, subtree: true, characterData: true });
createRoot(place).render(createElement(Dashboard));
