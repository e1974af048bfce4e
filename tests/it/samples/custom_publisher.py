import requests
import cv2

def publish_frame(stream_name, frame):
    # Encode frame to JPEG
    _, buffer = cv2.imencode('.jpg', frame, [cv2.IMWRITE_JPEG_QUALITY, 85])

    # Send to server
    files = {'frame': ('frame.jpg', buffer.tobytes(), 'image/jpeg')}
    response = requests.post(f'http://localhost:5000/publish/{stream_name}', files=files)

    return response.status_code == 200
