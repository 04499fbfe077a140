// A TLS server with every version and suite that this Java contains: PORT PKCS12...
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import java.util.Collections;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

public class WeakServer {
    private static final char[] PASSWORD = "secret".toCharArray();

    public static void main(String[] args) throws Exception {
        KeyStore all = KeyStore.getInstance("PKCS12");
        all.load(null, PASSWORD);
        for (int i = 1; i < args.length; i++) {
            add(all, args[i], "key" + i);
        }
        // "PKIX" judges the certificates for each suite of a hello, which takes 30 ms of every connection.
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(all, PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        InetAddress loopback = InetAddress.getByName("127.0.0.1");
        int port = Integer.parseInt(args[0]);
        SSLServerSocket server =
                (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port, 200, loopback);
        server.setEnabledProtocols(server.getSupportedProtocols());
        server.setEnabledCipherSuites(server.getSupportedCipherSuites());
        while (true) {
            SSLSocket client = (SSLSocket) server.accept();
            Thread thread = new Thread(() -> serve(client));
            thread.setDaemon(true);
            thread.start();
        }
    }

    private static void add(KeyStore all, String file, String alias) throws Exception {
        KeyStore one = KeyStore.getInstance("PKCS12");
        try (InputStream input = new FileInputStream(file)) {
            one.load(input, PASSWORD);
        }
        String name = Collections.list(one.aliases()).get(0);
        all.setKeyEntry(alias, one.getKey(name, PASSWORD), PASSWORD, one.getCertificateChain(name));
    }

    private static void serve(SSLSocket client) {
        try (client) {
            client.startHandshake();
            client.getInputStream().read();
        } catch (Exception ended) {
            // Scanners seldom finish a handshake.
        }
    }
}
