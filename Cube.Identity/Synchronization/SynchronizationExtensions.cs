using Cube.Identity.Api;
using Cube.ServiceDefaults.Errors;

namespace Cube.Identity.Synchronization;

internal static class SynchronizationExtensions
{
    public static WebApplicationBuilder AddSynchronization(this WebApplicationBuilder builder)
    {
        CacheInvalidationPublisher.Source.Require(builder.Configuration);
        var services = builder.Services;
        services.AddSingleton<CacheInvalidationPublisher.Source>().AddSingleton<CacheInvalidationPublisher>().AddSingleton<Outbox>();
        services.AddSingleton<RelationshipSynchronizer>().AddHostedService(static provider => provider.GetRequiredService<RelationshipSynchronizer>());
        services.AddHealthChecks().AddCheck<RelationshipSynchronizer>("authorization");
        return builder;
    }

    /// <summary>
    /// For endpoints that change something: nothing is begun while the engine takes no changes, and no answer is given before it has
    /// taken this one, so that what was answered is in force.
    /// </summary>
    public static TBuilder RequireSynchronized<TBuilder>(this TBuilder endpoints)
        where TBuilder : IEndpointConventionBuilder => endpoints.AddEndpointFilter(static async (context, next) =>
    {
        var http = context.HttpContext;
        if (HttpMethods.IsGet(http.Request.Method))
        {
            return await next(context);
        }

        var outbox = http.RequestServices.GetRequiredService<Outbox>();
        if (outbox.IsStalled)
        {
            await outbox.DeliverAsync(http.RequestAborted);
        }

        var result = await next(context);
        try
        {
            // The change is committed: leaving early must not keep it from being in force.
            await outbox.DeliverAsync(CancellationToken.None);
        }
        catch (UnavailableException)
        {
            http.Response.Headers.RetryAfter = "1";
            return ApiResults.Fail(
                StatusCodes.Status503ServiceUnavailable, "authorization_pending",
                "The change is stored. It takes effect when the authorization engine is available again.");
        }

        return result;
    });
}
