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
    /// For endpoints that change data: rejects the request while the outbox is stalled, and answers only after the authorization engine has
    /// accepted the change, so that an answered change is effective.
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
            // The change is committed. A disconnected client must not delay its delivery.
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
