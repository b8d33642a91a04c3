package hapi;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.provider.JpaSystemProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.test.config.TestR4Config;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import org.apache.commons.dbcp2.BasicDataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Configuration;

/** HAPI FHIR JPA (R4) on H2 in memory, on loopback: {@code Serve PORT}. Says "ready" when it answers. */
public final class Serve {

    /** The configuration of HAPI's own tests, with connections enough for parallel clients. */
    @Configuration
    public static class Settings extends TestR4Config {
        @Override
        public void setConnectionProperties(BasicDataSource source) {
            super.setConnectionProperties(source);
            source.setUrl("jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1");
            source.setMaxTotal(32);
        }
    }

    private Serve() {}

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        AnnotationConfigApplicationContext beans = new AnnotationConfigApplicationContext(Settings.class);
        FhirContext context = beans.getBean(FhirContext.class);
        JpaStorageSettings storage = beans.getBean(JpaStorageSettings.class);
        // what a hospital's server would do: search parameters are indexed, nothing is deleted, references must exist
        storage.setAllowMultipleDelete(false);

        RestfulServer fhir = new RestfulServer(context);
        fhir.registerProviders(beans.getBean(ResourceProviderFactory.class).createProviders());
        fhir.registerProvider(beans.getBean(JpaSystemProvider.class));
        fhir.setPagingProvider(beans.getBean(DatabaseBackedPagingProvider.class));
        fhir.setDefaultResponseEncoding(EncodingEnum.JSON);

        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        server.addConnector(connector);
        ServletContextHandler handler = new ServletContextHandler();
        handler.addServlet(new ServletHolder(fhir), "/fhir/*");
        server.setHandler(handler);
        server.start();
        System.out.println("ready");
        server.join();
    }
}
