using Cube.ServiceDefaults.Networking;
using Microsoft.AspNetCore.Authentication;

namespace Cube.Proxy.Authentication;

internal static class AuthenticationExtensions
{
    /// <summary>Adds authentication with bearer tokens of Identity. There is no default scheme: tokens are verified only for endpoints whose authorization policy names the scheme.</summary>
    public static WebApplicationBuilder AddBearerAuthentication(this WebApplicationBuilder builder)
    {
        ServiceAddresses.Require(builder.Configuration, IdentityKeys.ClientName, "http", "https");
        AppContext.SetSwitch("Microsoft.AspNetCore.Authentication.SuppressAutoDefaultScheme", true);
        var services = builder.Services;
        // AddAuthentication would also add data protection, which writes keys to the disk that a bearer scheme does not use.
        services.AddAuthenticationCore().AddWebEncoders();
        new AuthenticationBuilder(services).AddScheme<AuthenticationSchemeOptions, BearerAuthenticationHandler>(BearerAuthenticationHandler.SchemeName, null);
        services.AddSingleton<IdentityKeys>().AddSingleton<IdentityClient>().AddSingleton<PersonalAccessTokens>().AddSingleton<TokenVerifier>().AddSingleton<BearerAuthenticator>();
        services.AddHttpClient(IdentityKeys.ClientName, static client =>
        {
            client.BaseAddress = new Uri($"https+http://{IdentityKeys.ClientName}/");
            client.Timeout = TimeSpan.FromSeconds(5);
        });
        services.AddHealthChecks().AddCheck<IdentityHealthCheck>("identity");
        return builder;
    }
}
