//! The material library's rows in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    domain::{Material, MaterialId, Username},
    ports::{MaterialStore, NewMaterial, StoreError},
};

#[async_trait]
impl MaterialStore for MemoryStore {
    async fn load_materials(&self) -> Result<Vec<Material>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let mut materials = tables.materials.clone();
        for material in &mut materials {
            let users = tables
                .used_media
                .iter()
                .filter(|(_, sha256)| *sha256 == material.sha256);
            material.used_by = users.map(|(username, _)| username.clone()).collect();
        }
        materials.sort_by_key(|material| (material.sort_order, material.id));
        Ok(materials)
    }

    async fn create_material(&self, new: NewMaterial) -> Result<Material, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        tables.last_material += 1;
        let material = Material {
            id: MaterialId(tables.last_material),
            name: new.name,
            file: new.file,
            kind: new.kind,
            sha256: new.sha256,
            bytes: new.bytes,
            tags: new.tags,
            username: new.username,
            caption: new.caption,
            sort_order: new.sort_order,
            used_by: Vec::new(),
            created_at: new.created_at,
        };
        tables.materials.push(material.clone());
        Ok(material)
    }

    async fn delete_material(&self, id: MaterialId) -> Result<Option<Material>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let place = tables.materials.iter().position(|material| material.id == id);
        Ok(place.map(|place| tables.materials.remove(place)))
    }

    async fn used_media(&self, username: &Username, sha256: &[String]) -> Result<Vec<String>, StoreError> {
        self.enter().await?;
        let tables = self.lock();
        let used = |content: &&String| {
            tables
                .used_media
                .iter()
                .any(|(name, used)| name == username && used == *content)
        };
        Ok(sha256.iter().filter(used).cloned().collect())
    }
}
