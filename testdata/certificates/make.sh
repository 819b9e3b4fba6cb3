#!/bin/sh
# Makes the certificates and keys beside this file, with OpenSSL 3. Nothing in the tests depends on their bytes; run it in
# an empty directory, and the tests will do with what it makes.
set -eu
umask 022
days=36500

# A chain of three, all of P-256: root -> intermediate -> *.ci.example. The root is the first to expire.
openssl ecparam -name prime256v1 -genkey -noout -out root.key
openssl req -x509 -new -sha256 -key root.key -days 36000 -subj '/CN=Test Root' -out root.pem
openssl ecparam -name prime256v1 -genkey -noout -out intermediate.key
printf 'basicConstraints=critical,CA:TRUE\n' >intermediate.ext
openssl req -new -key intermediate.key -subj '/O=Tests/CN=Test Intermediate' |
    openssl x509 -req -sha256 -CA root.pem -CAkey root.key -set_serial 2 -days $days -extfile intermediate.ext -out intermediate.pem
openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
printf 'subjectAltName=DNS:*.ci.example,DNS:ci.example,IP:192.0.2.7\nextendedKeyUsage=serverAuth,clientAuth\n' >leaf.ext
openssl req -new -key leaf.key -subj '/CN=*.ci.example' |
    openssl x509 -req -sha256 -CA intermediate.pem -CAkey intermediate.key -set_serial 0x00c0ffee01 -days $days -extfile leaf.ext -out leaf.pem
cat leaf.pem intermediate.pem root.pem >chain.pem

# Another one with the name of the intermediate: it did not sign the leaf.
openssl ecparam -name prime256v1 -genkey -noout -out impostor.key
openssl req -x509 -new -sha256 -key impostor.key -days $days -subj '/O=Tests/CN=Test Intermediate' -out impostor.pem

# A client's certificate, without names.
printf 'extendedKeyUsage=clientAuth\n' >client.ext
openssl req -new -key leaf.key -subj '/CN=client' |
    openssl x509 -req -sha256 -CA intermediate.pem -CAkey intermediate.key -set_serial 3 -days $days -extfile client.ext -out client.pem

rm -f root.key intermediate.key impostor.key ./*.ext ./*.csr
