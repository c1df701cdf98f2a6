document.getElementById('app').textContent = 'See openapi.json for what can be asked.';
