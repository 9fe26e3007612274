using Cube.ServiceDefaults.Errors;

namespace Cube.Identity.Relations;

internal static class RelationExtensions
{
    public static WebApplicationBuilder AddRelations(this WebApplicationBuilder builder)
    {
        Notifier.Source.Require(builder.Configuration);
        var services = builder.Services;
        services.AddSingleton<Notifier.Source>().AddSingleton<Notifier>().AddSingleton<Outbox>();
        services.AddSingleton<RelationKeeper>().AddHostedService(static provider => provider.GetRequiredService<RelationKeeper>());
        services.AddHealthChecks().AddCheck<RelationKeeper>("authorization");
        return builder;
    }

    /// <summary>
    /// For endpoints that change something: nothing is begun while the engine takes no changes, and no answer is given before it has
    /// taken this one, so that what was answered is in force.
    /// </summary>
    public static TBuilder InForceWhenAnswered<TBuilder>(this TBuilder endpoints)
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
            return Requests.Fail(
                StatusCodes.Status503ServiceUnavailable, "authorization_pending",
                "The change is stored and takes effect as soon as the authorization engine answers again.");
        }

        return result;
    });
}
