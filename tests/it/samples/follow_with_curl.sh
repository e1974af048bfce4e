curl -X POST -H "Content-Type: application/json" \
  -d '{"username": "gorgc", "priority": 3}' \
  http://localhost:5000/api/streams

curl -X POST -H "Content-Type: application/json" \
  -d '{"streams": ["gorgc", "admiralbulldog", "dendi"]}' \
  http://localhost:5000/api/streams/bulk

curl -X PUT -H "Content-Type: application/json" \
  -d '{"capture_interval": 5}' \
  http://localhost:5000/api/config
