// In the frame, after the answer was stored: the page around asks the server and goes on.
parent.postMessage({ mturkhub: "submitted" }, "*");
