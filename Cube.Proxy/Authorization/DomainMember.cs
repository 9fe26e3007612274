using Cube.Proxy.Authentication;

namespace Cube.Proxy.Authorization;

/// <summary>A caller that is a member of the domain of the path. Authorization sets it; all later steps read the domain from here.</summary>
internal sealed record DomainMember(Guid DomainId, Caller Caller);
