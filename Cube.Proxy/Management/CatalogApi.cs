using Cube.Inference;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Edge;
using Cube.Proxy.OpenApi;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Management;

/// <summary>The model catalog of a domain: <c>/{domainID}/models</c>.</summary>
internal sealed class CatalogApi(CatalogStore store, ProxyConfigurationProvider configuration)
{
    public async Task<ApiResult> FindAsync(Guid domain, CancellationToken ct)
    {
        try
        {
            return await store.FindAsync(domain, ct) is { } found
                ? ApiResult.Ok(found)
                : ApiResult.NotFound("The domain has no catalog: it publishes all models of its model servers.");
        }
        catch (CatalogException exception)
        {
            return new ApiResult(StatusCodes.Status503ServiceUnavailable, null, "catalogue_unreadable", $"The proxy cannot load the stored catalog. {exception.Message} Replace or remove the catalog.");
        }
    }

    /// <summary>Responds when this proxy uses the new catalog. The other proxies use it within a second.</summary>
    public async Task<ApiResult> ReplaceAsync(DomainMember member, HttpRequest request)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, CatalogJson.MaxBytes) is not { } body)
        {
            return ApiResult.BadRequest($"The catalog is larger than {CatalogJson.MaxBytes >> 10} KiB.");
        }

        try
        {
            await store.ReplaceAsync(member.DomainId, CatalogJson.Parse(body), member.Caller.UserId.ToString(), ct);
        }
        catch (CatalogException exception)
        {
            return ApiResult.BadRequest(exception.Message);
        }

        await configuration.ReadAsync(ct);
        return await FindAsync(member.DomainId, ct);
    }

    public async Task<ApiResult> DeleteAsync(Guid domain, CancellationToken ct)
    {
        await store.DeleteAsync(domain, ct);
        await configuration.ReadAsync(ct);
        return ApiResult.NoContent;
    }
}

internal static class CatalogEndpoints
{
    private const string Path = "/models";

    public static void MapCatalog(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapDomain(
            "GET", new DomainEndpointMetadata("catalogue.get", Path, BodyKind.None),
            static (HttpContext context, CatalogApi catalogs) => catalogs.FindAsync(MemberOf(context).DomainId, context.RequestAborted),
            static endpoint => endpoint.RequireDomainAction(new DomainActionRequirement("llm_read") { NeedsWholeDomain = true }).Describe(
                new("catalogue.get", "The models that the domain publishes, under its own names; 404 if it publishes all models of its model servers."), response: typeof(StoredCatalog)));
        endpoints.MapDomain(
            "PUT", new DomainEndpointMetadata("catalogue.put", Path, BodyKind.Json),
            static (HttpContext context, CatalogApi catalogs) => catalogs.ReplaceAsync(MemberOf(context), context.Request),
            static endpoint => endpoint.RequireDomainAction(Update).Describe(
                new("catalogue.put", "Replaces the catalog. Members see and use these models and no others.") { Body = typeof(CatalogJson.CatalogRequest) }, response: typeof(StoredCatalog)));
        endpoints.MapDomain(
            "DELETE", new DomainEndpointMetadata("catalogue.delete", Path, BodyKind.None),
            static (HttpContext context, CatalogApi catalogs) => catalogs.DeleteAsync(MemberOf(context).DomainId, context.RequestAborted),
            static endpoint => endpoint.RequireDomainAction(Update).Describe(
                new("catalogue.delete", "Removes the catalog: the domain publishes all models of its model servers."), StatusCodes.Status204NoContent));
    }

    private static DomainActionRequirement Update { get; } = new("llm_update") { NeedsWholeDomain = true, NeedsAllModels = true };

    private static DomainMember MemberOf(HttpContext context) => context.Features.GetRequiredFeature<DomainMember>();
}
