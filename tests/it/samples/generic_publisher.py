from client.publisher import StreamPublisher
import cv2

# Initialize publisher
publisher = StreamPublisher(
    server_url="http://localhost:5000",
    stream_name="my_stream",
    quality=85,
    max_fps=30
)

# Start publisher thread
publisher.start()

# Capture and publish frames
cap = cv2.VideoCapture(0)
while True:
    ret, frame = cap.read()
    if ret:
        publisher.publish_frame(frame)

# Cleanup
publisher.stop()
cap.release()
