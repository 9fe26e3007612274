using System.Net;
using System.Text.Json;
using Cube.Identity.Accounts;
using Cube.Identity.Authentication;
using Cube.Identity.Configuration;
using Cube.Identity.Domains;
using Cube.Identity.Invitations;
using Cube.Identity.Journal;
using Cube.Identity.Keys;
using Cube.Identity.Pats;
using Cube.Identity.Roles;
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
        services.AddSingleton<KeyRing>().AddHostedService<KeyRotationService>();
        services.AddSingleton<TokenIssuer>().AddSingleton<TokenReader>().AddSingleton<SessionStore>().AddSingleton<LoginThrottle>();
        services.AddSingleton<UserStore>().AddSingleton<UserLifecycle>().AddSingleton<UserPasswordHasher>().AddSingleton<PasswordQueue>().AddSingleton<PasswordCheck>();
        services.AddHostedService<SeedDataService>().AddHostedService<UserPurgeService>();
        services.AddSingleton<DomainStore>().AddSingleton<RoleStore>().AddSingleton<MemberStore>().AddSingleton<BuiltInRoles>();
        services.AddSingleton<InvitationStore>().AddSingleton<PatStore>().AddSingleton<ScopeStore>().AddSingleton<JournalStore>();
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        // In Development the default is true, which answers a malformed body with an exception page.
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

    /// <summary>Configures the networks whose <c>X-Forwarded-For</c> header is trusted.</summary>
    private sealed class TrustedProxies(IOptions<IdentityOptions> options) : IConfigureOptions<ForwardedHeadersOptions>
    {
        public void Configure(ForwardedHeadersOptions forwarded)
        {
            forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor;
            foreach (var network in options.Value.TrustedProxies)
            {
                forwarded.KnownIPNetworks.Add(System.Net.IPNetwork.TryParse(network, out var parsed)
                    ? parsed
                    : throw new SettingException($"Identity__TrustedProxies contains '{network}', which is not a network in CIDR notation such as 10.0.0.0/8."));
            }
        }
    }
}
