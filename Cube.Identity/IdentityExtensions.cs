using System.Net;
using System.Text.Json;
using Cube.Identity.Authentication;
using Cube.Identity.Domains;
using Cube.Identity.Invitations;
using Cube.Identity.Journal;
using Cube.Identity.Keys;
using Cube.Identity.Pats;
using Cube.Identity.Tokens;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Cube.Identity;

internal static class IdentityExtensions
{
    public static WebApplicationBuilder AddIdentity(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<IdentityOptions, IdentityOptionsValidator>().BindConfiguration(IdentityOptions.Section);
        services.AddSingleton<KeyRing>().AddHostedService<KeyRotation>();
        services.AddSingleton<TokenIssuer>().AddSingleton<TokenReader>().AddSingleton<SessionStore>().AddSingleton<LoginThrottle>();
        services.AddSingleton<UserStore>().AddSingleton<UserStanding>().AddSingleton<Passwords>().AddSingleton<PasswordQueue>().AddSingleton<PasswordCheck>();
        services.AddHostedService<FirstAdministrator>().AddHostedService<UserPurge>();
        services.AddSingleton<DomainStore>().AddSingleton<RoleStore>().AddSingleton<Members>().AddSingleton<BuiltInRoles>();
        services.AddSingleton<InvitationStore>().AddSingleton<PatStore>().AddSingleton<ScopeStore>().AddSingleton<JournalStore>();
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        // Otherwise Development answers a malformed body with an exception page.
        services.Configure<RouteHandlerOptions>(static routes => routes.ThrowOnBadRequest = false);
        services.AddSingleton<IConfigureOptions<ForwardedHeadersOptions>, TrustedProxies>();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Limits.MaxRequestBodySize = 1 << 20);
        return builder;
    }

    public static WebApplication UseIdentity(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseHeadRequests();
        app.UseManagementErrors();
        app.UseRouting();
        app.UseMiddleware<CallerMiddleware>();
        app.UseMiddleware<DomainActionMiddleware>();
        return app;
    }

    /// <summary>Whose word on the client's address counts.</summary>
    private sealed class TrustedProxies(IOptions<IdentityOptions> options) : IConfigureOptions<ForwardedHeadersOptions>
    {
        public void Configure(ForwardedHeadersOptions forwarded)
        {
            forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor;
            foreach (var network in options.Value.TrustedProxies)
            {
                forwarded.KnownIPNetworks.Add(System.Net.IPNetwork.TryParse(network, out var parsed)
                    ? parsed
                    : throw new SettingException($"Identity__TrustedProxies holds '{network}', which is no network such as 10.0.0.0/8."));
            }
        }
    }
}
