using Cube.Authorization;
using Cube.Proxy.Authentication;
using Cube.Proxy.Caching;
using Cube.Proxy.Edge;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;

namespace Cube.Proxy.Authorization;

internal static class AuthorizationExtensions
{
    private static readonly AuthorizationPolicy _administrators = Policy(new PlatformAdministratorRequirement());
    private static readonly AuthorizationPolicy _authenticated = new AuthorizationPolicyBuilder(BearerAuthenticationHandler.SchemeName).RequireAuthenticatedUser().Build();

    public static WebApplicationBuilder AddDomainAuthorization(this WebApplicationBuilder builder)
    {
        builder.AddAuthorizationClient();
        var services = builder.Services;
        services.AddSingleton<DecisionCache>();
        services.AddSingleton<MembershipClient>().AddSingleton<Permissions>().AddSingleton<PlatformAdministrators>();
        services.AddHostedService<CacheInvalidationListener>();
        // The order matters: membership is checked before the action.
        services.AddSingleton<IAuthorizationHandler, DomainMemberHandler>()
            .AddSingleton<IAuthorizationHandler, DomainActionHandler>()
            .AddSingleton<IAuthorizationHandler, PlatformAdministratorHandler>()
            .AddSingleton<IAuthorizationMiddlewareResultHandler, AuthorizationResultHandler>();
        services.AddSingleton<IPolicyEvaluator, DomainPolicyEvaluator>();
        services.AddAuthorizationBuilder()
            .SetInvokeHandlersAfterFailure(false)
            .AddPolicy(DomainPathMiddleware.AuthenticatedPolicy, _authenticated)
            .SetFallbackPolicy(Policy(new DomainMemberRequirement()));
        return builder;
    }

    /// <summary>Requires membership in the domain and then the action.</summary>
    public static TBuilder RequireDomainAction<TBuilder>(this TBuilder endpoint, DomainActionRequirement action)
        where TBuilder : IEndpointConventionBuilder => endpoint.RequireAuthorization(Policy(new DomainMemberRequirement(), action));

    public static TBuilder RequirePlatformAdministrator<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.RequireAuthorization(_administrators);

    /// <summary>Requires only a valid token.</summary>
    public static TBuilder RequireAuthenticatedCaller<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.RequireAuthorization(_authenticated);

    private static AuthorizationPolicy Policy(params IAuthorizationRequirement[] requirements) =>
        new AuthorizationPolicyBuilder(BearerAuthenticationHandler.SchemeName).AddRequirements(requirements).Build();
}
